"""Reward models with a head behind HTTP, as `vllm serve MODEL --runner pooling --convert classify` serves them."""

import asyncio
import functools
import logging
import math
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from pydantic import BaseModel, ValidationError

from lcb_rb.errors import EndpointError, InputError, RecodeError
from lcb_rb.inference.chat import KEY, NO_KEY, endpoint
from lcb_rb.inference.client import GivenUp, completed, repeated
from lcb_rb.inference.failures import Answerless, fatal, said_by, status_of
from lcb_rb.scorers.base import Item, ModelOptions
from lcb_rb.scorers.batched import plan
from lcb_rb.scorers.checks import refuse_useless_template, understood
from lcb_rb.scorers.classifier import label_of
from lcb_rb.scorers.loading import NO_TEMPLATE, Place, content_hash, load_tokenizer, lowest
from lcb_rb.scorers.texts import TextReader, Tokens

TOKENS, TEXTS = 32_768, 32
"""Most tokens and texts of a request; the server makes batches of its own from many requests."""
CONCURRENCY = 8
"""Requests at a time."""
TIMEOUT_S = 120.0
"""Longest wait for one answer, seconds."""
REFUSED = frozenset((400, 413, 422))
"""What a server says to a request that it will never take, maybe for one text of many."""

_LOG = logging.getLogger(__name__)

Logits = list[float | None]
"""Of one text, one a label; None for what is no number."""


class _Row(BaseModel):
    index: int
    probs: Logits


class _Answer(BaseModel):
    data: list[_Row]


class _Card(BaseModel):
    id: str
    root: str | None = None
    max_model_len: int | None = None


class _Cards(BaseModel):
    data: list[_Card]


class EndpointClassifier:
    """Scores by the logits that a server gives for our tokens, so that it reads what `ClassifierScorer` would.

    The directory is needed for tokenizer and configuration; weights in it are hashed, never loaded. What the server
    does not answer in time, or not with a number, is unscored. Pickles, for processes that do not share memory.
    """

    def __init__(
        self, url: str, place: Place, options: ModelOptions, *, field: str = "endpoint", deadline_s: float = 300.0
    ) -> None:
        """Reads the tokenizer, and asks the server what it serves.

        Args:
            url: Its address, such as http://localhost:8000.
            place: The same model.
            options: What becomes of texts that do not fit, and when.
            field: Where the address was given, for messages.
            deadline_s: Wall time of one call of `score`.

        Raises:
            InputError: no address, no such directory, or the server refuses the key or serves something else.
            EndpointError: the server cannot be reached, or fails again and again.
        """
        from transformers import AutoConfig

        directory = place.directory
        self._place, self._field, self._deadline_s = endpoint(_root(url), place.name, field), field, deadline_s
        tokenizer = load_tokenizer(directory)
        refuse_useless_template(str(directory), tokenizer, prompts=False)
        with understood(directory, "configuration"):
            config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
            text = config.get_text_config()
            self.revision = place.revision or content_hash(directory)
        self.label, notes = label_of(config, None, directory)
        self._served, limit = self._asked_card()
        context = lowest(getattr(text, "max_position_embeddings", None), options.max_tokens, limit)
        self.name = place.name
        self.notes = [*notes, f"scored at {self._place.host}"] + [NO_TEMPLATE] * (not tokenizer.chat_template)
        self.reader = TextReader(tokenizer, context, options.over_long, text.vocab_size)

    def score(self, items: Sequence[Item], advance: Callable[[], None] = lambda: None) -> list[float | None]:
        """Returns one score an item; None for a text without tokens, and for what the server does not give.

        Raises:
            InputError: a text does not fit into the model's context and may not be cut.
        """
        read = self.reader.read(items)
        found = self.logits(list(dict.fromkeys(tokens for tokens in read if tokens is not None)))
        failed = Counter(said_by(error, self._place) for error in found.values() if isinstance(error, Exception))
        if failed:
            reason, _ = failed.most_common(1)[0]
            _LOG.warning("%s: %d of %d texts unscored, mostly: %s", self.where, failed.total(), len(found), reason)
        for _ in items:
            advance()
        return [None if tokens is None else self.score_of(found[tokens]) for tokens in read]

    def score_of(self, answer: Logits | Exception) -> float | None:
        """Returns the score that is made of the logits of a text; None where one that it needs is no number."""
        if isinstance(answer, Exception) or max(self.label) >= len(answer):
            return None
        first, minus = answer[self.label[0]], answer[self.label[1]] if len(self.label) > 1 else 0.0
        return None if first is None or minus is None or not math.isfinite(first - minus) else first - minus

    def logits(self, texts: Sequence[Tokens], *, activated: bool = False) -> dict[Tokens, Logits | Exception]:
        """Returns what the server says of each text, or why it says nothing.

        Args:
            texts: Each once.
            activated: Whether sigmoid or softmax are wanted on top.
        """
        batches = [[texts[index] for index in batch] for batch in plan([len(text.ids) for text in texts], TOKENS)]
        requests = [batch[at : at + TEXTS] for batch in batches for at in range(0, len(batch), TEXTS)]
        found: dict[Tokens, Logits | Exception] = {}
        completed(self._settle(requests, activated, found))
        late = TimeoutError(f"not answered within {self._deadline_s:g} s")
        return {text: found.get(text, late) for text in texts}

    def failure(self, error: Exception) -> RecodeError:
        """Returns the one line for an error that leaves nothing to be scored."""
        status, said = status_of(error), said_by(error, self._place)
        known = None if status == 404 else fatal(error, self._place)
        if known:
            return known
        if status == 403:
            return InputError(f"{self.where}: the key is refused ({said}); set {KEY}")
        if status is not None and 300 <= status < 400:
            return InputError(f"{self.where}: leads elsewhere ({status}); give {self._field} the address it leads to")
        if status is not None and status < 500:
            fix = "start it by `vllm serve MODEL --runner pooling --convert classify`"
            return InputError(f"{self.where}: no /classify as vLLM has it ({said}); {fix}, or check {self._field}")
        return EndpointError(f"{self.where}: no request succeeds ({said}); look into the server's log")

    @property
    def where(self) -> str:
        """Model and server, for messages."""
        return f"{self._place.model} at {self._place.host}"

    def _client(self) -> httpx2.AsyncClient:
        """Returns a client that never follows a redirect: the key is for this address only."""
        key = self._place.key
        headers = {} if key == NO_KEY else {"Authorization": f"Bearer {key}"}
        return httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_S, follow_redirects=False, verify=_trusted())

    async def _settle(
        self, requests: Sequence[list[Tokens]], activated: bool, found: dict[Tokens, Logits | Exception]
    ) -> None:
        """Fills in what is answered, or has failed, within the deadline."""
        queue = iter(requests)
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._client() as client,
                asyncio.TaskGroup() as group,
            ):
                for _ in range(min(CONCURRENCY, len(requests))):
                    group.create_task(self._work(client, queue, activated, found))
        except TimeoutError:
            return

    async def _work(
        self,
        client: httpx2.AsyncClient,
        queue: Iterator[list[Tokens]],
        activated: bool,
        found: dict[Tokens, Logits | Exception],
    ) -> None:
        for request in queue:
            left = [request]
            while left:
                batch = left.pop()
                answer = await repeated(functools.partial(self._once, client, batch, activated), TIMEOUT_S)
                if not isinstance(answer, GivenUp):
                    found.update(zip(batch, answer[0], strict=True))
                elif status_of(answer.error) in REFUSED and len(batch) > 1:  # one text too long should not cost others
                    middle = len(batch) // 2
                    left += [batch[:middle], batch[middle:]]
                else:
                    found.update(dict.fromkeys(batch, answer.error))

    async def _once(self, client: httpx2.AsyncClient, batch: Sequence[Tokens], activated: bool) -> list[Logits]:
        body: dict[str, object] = {
            "input": [list(text.ids) for text in batch],
            "add_special_tokens": False,
            "use_activation": activated,
        }
        if self._served:
            body["model"] = self._served
        answer = _checked(await client.post(f"{self._place.url}/classify", json=body))
        try:
            rows = {row.index: row.probs for row in _Answer.model_validate(answer).data}
        except ValidationError as error:
            raise Answerless from error
        if sorted(rows) != list(range(len(batch))):
            raise Answerless  # which text a value is of would be a guess
        return [rows[index] for index in range(len(batch))]

    def _asked_card(self) -> tuple[str | None, int | None]:
        """Returns the model's name on the server and the longest text there; None where it does not say."""
        found = completed(repeated(self._card, TIMEOUT_S))
        if isinstance(found, GivenUp):
            if status_of(found.error) == 404:
                return None, None
            raise self.failure(found.error) from found.error
        try:
            cards = _Cards.model_validate(found[0]).data
        except ValidationError:
            return None, None
        ours = [card for card in cards if self._place.model in (card.id, card.root)]
        card = next(iter(ours or cards), None)
        return (card.id, card.max_model_len) if card else (None, None)

    async def _card(self) -> Mapping[str, object]:
        async with self._client() as client:
            return _checked(await client.get(f"{self._place.url}/v1/models"))


def _checked(response: httpx2.Response) -> Mapping[str, object]:
    """Returns the JSON object of an answer; raises what `failures` understands for all but success."""
    if not response.is_success:
        raise HfHubHTTPError(str(response.status_code), response=response, server_message=response.text)
    answer = response.json()
    if not isinstance(answer, dict):
        raise Answerless
    return answer


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Returns whom the client trusts; making it takes longer than a request."""
    return httpx2.create_ssl_context()


def _root(url: str) -> str:
    """Returns the address that `/classify` is under; people also give that of the chat protocol."""
    return url.rstrip("/").removesuffix("/v1")
