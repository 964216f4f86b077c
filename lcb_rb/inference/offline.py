"""Models that vLLM runs in this process, in batches; the replies have the form of an endpoint's."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from lcb_rb.errors import MissingExtraError
from lcb_rb.inference.chat import ChatRequest, Endpoint, Failure, Reply, described, request_key
from lcb_rb.inference.journal import Store
from lcb_rb.inference.spending import Spent

BATCH = 1024
"""Requests that are given to vLLM together: what a kill can cost, and enough to fill a GPU."""

Item = tuple[int, ChatRequest]
Came = tuple[int, Reply | Failure]


def answers(place: Endpoint, requests: Iterable[Item], replies: Store, spent: Spent) -> Iterator[Came]:
    """Yields number and reply of every request, or why there is none; the model is loaded when the first is missing.

    Args:
        place: Made by `place_of`.
        requests: With their numbers.
        replies: Where replies are found, and kept before they are yielded.
        spent: Where it is counted.

    Raises:
        MissingExtraError: vLLM is not installed.
    """
    queue = iter(requests)
    while batch := list(islice(queue, BATCH)):
        missing: dict[str, ChatRequest] = {}
        for number, request in batch:
            key = request_key(place, request)
            known = replies.get(key)
            if known is None:
                missing[key] = request
                continue
            spent.note(known, known=True)
            yield number, known
        found = _new(place, missing, replies, spent)
        keys = ((number, request_key(place, request)) for number, request in batch)
        yield from ((number, found[key]) for number, key in keys if key in found)


def _new(
    place: Endpoint, missing: Mapping[str, ChatRequest], replies: Store, spent: Spent
) -> dict[str, Reply | Failure]:
    """Returns what the model says now, by key; replies are kept."""
    found = dict(zip(missing, _answers(place.model, list(missing.values())), strict=True))
    for key, answer in found.items():
        if isinstance(answer, Reply):
            replies.put(key, answer, described(place, missing[key]))
        spent.note(answer)
    return found


def _answers(model: str, requests: Sequence[ChatRequest]) -> list[Reply | Failure]:
    """Returns what the model says to each; what it refuses, as a prompt that is too long, is refused alone."""
    if not requests:
        return []
    try:
        return [_reply(output, model) for output in _chat(model, requests)]
    except ValueError as error:
        if len(requests) == 1:
            return [Failure(" ".join(str(error).split())[:160], 1, refused=True)]
    half = len(requests) // 2
    return _answers(model, requests[:half]) + _answers(model, requests[half:])


def _chat(model: str, requests: Sequence[ChatRequest]) -> Sequence[Any]:
    try:
        from vllm import SamplingParams
    except ImportError as error:
        raise MissingExtraError("vllm", "vllm") from error
    chats = [[message.model_dump() for message in request.messages] for request in requests]
    options = [
        SamplingParams(temperature=request.temperature, max_tokens=request.max_tokens, seed=request.seed)
        for request in requests
    ]
    found: Sequence[Any] = _loaded(model).chat(chats, options, use_tqdm=False)
    return found


@functools.cache
def _loaded(model: str) -> Any:
    """Returns the model; it stays, since loading takes minutes and callers ask in many calls."""
    from vllm import LLM

    return LLM(model=model)


def _reply(output: Any, model: str) -> Reply:
    """Returns a `RequestOutput` of vLLM in OpenAI's form."""
    answer = output.outputs[0]
    message = {"role": "assistant", "content": answer.text}
    usage = {"prompt_tokens": len(output.prompt_token_ids), "completion_tokens": len(answer.token_ids)}
    choice = {"index": 0, "finish_reason": answer.finish_reason, "message": message}
    return Reply({"object": "chat.completion", "model": model, "choices": [choice], "usage": usage}, 1)
