"""A real HTTP server on the loopback that classifies tokens as vLLM does, with a model of its own."""

import threading
from pathlib import Path
from typing import Any

from chat_server import Answer, ChatServer, Script, failed


class ClassifyServer(ChatServer):
    """Answers /classify as `vllm serve DIRECTORY --runner pooling --convert classify`; `script` may say otherwise."""

    path = "/classify"

    def __init__(self, directory: Path, max_model_len: int = 256) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification

        self.torch, self.max_model_len = torch, max_model_len
        self.model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
        self.model.config.pad_token_id = None  # vLLM pools the last token, whatever it is
        self.alone = threading.Lock()
        super().__init__(self.classified)

    @property
    def url(self) -> str:
        return super().url.removesuffix("/v1")

    def told(self, path: str) -> Answer:
        card = {"id": "served", "object": "model", "max_model_len": self.max_model_len}
        return Answer({"object": "list", "data": [card]}) if path == "/v1/models" else failed(404)

    def classified(self, body: dict[str, Any], count: int) -> Answer:
        """What vLLM says; a test changes it."""
        if body.get("model") != "served":
            return failed(404, f"The model `{body.get('model')}` does not exist.")
        longest = max(map(len, body["input"]))
        if longest > self.max_model_len:
            return failed(400, f"This model's maximum context length is {self.max_model_len}, but there are {longest}")
        rows = [self._probs(ids, activated=body.get("use_activation") is not False) for ids in body["input"]]
        return answered(rows)

    def _probs(self, ids: list[int], *, activated: bool) -> list[float]:
        with self.alone, self.torch.inference_mode():
            logits = self.model(input_ids=self.torch.tensor([ids])).logits[0].float()
            found = (logits.sigmoid() if len(logits) == 1 else logits.softmax(0)) if activated else logits
            probs: list[float] = found.tolist()
            return probs


def answered(rows: list[Any]) -> Answer:
    """An answer with these numbers."""
    data = [{"index": i, "label": "LABEL_0", "probs": row, "num_classes": len(row)} for i, row in enumerate(rows)]
    usage = {"prompt_tokens": 9, "total_tokens": 9, "completion_tokens": 0, "prompt_tokens_details": None}
    return Answer({"id": "classify-1", "object": "list", "created": 1, "model": "served", "data": data, "usage": usage})


def changed(script: Script, change: Any) -> Script:
    """The script, whose rows of numbers are changed."""

    def other(body: dict[str, Any], count: int) -> Answer:
        return answered(change([row["probs"] for row in script(body, count).body["data"]]))

    return other
