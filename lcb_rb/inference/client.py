"""Requests to an endpoint, many at a time; failures that pass are waited out."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeVar

from huggingface_hub import AsyncInferenceClient

from lcb_rb.errors import RecodeError
from lcb_rb.inference.chat import ChatRequest, Endpoint, Failure, Reply, request_key
from lcb_rb.inference.failures import (
    ATTEMPTS,
    ERRORS,
    Answerless,
    fatal,
    hopeless,
    passes,
    pause_s,
    said_by,
    status_of,
)
from lcb_rb.inference.journal import Replies

CONCURRENCY = 16
"""Requests at a time."""
TIMEOUT_S = 600.0
"""Longest wait for one answer, seconds."""
GIVE_UP = 20
"""Requests in a row that may fail, each after all its attempts, before the endpoint counts as broken."""

_Found = TypeVar("_Found")


def asked(
    place: Endpoint,
    requests: Sequence[ChatRequest],
    replies: Replies,
    advance: Callable[[], None] = lambda: None,
    *,
    concurrency: int = CONCURRENCY,
    timeout_s: float = TIMEOUT_S,
) -> list[Reply | Failure]:
    """Returns what `ask` returns, for callers that are not asynchronous, notebooks included."""
    return completed(ask(place, requests, replies, advance, concurrency=concurrency, timeout_s=timeout_s))


async def ask(
    place: Endpoint,
    requests: Sequence[ChatRequest],
    replies: Replies,
    advance: Callable[[], None] = lambda: None,
    *,
    concurrency: int = CONCURRENCY,
    timeout_s: float = TIMEOUT_S,
) -> list[Reply | Failure]:
    """Returns the reply to every request, or why there is none; equal requests are made once, known ones not at all.

    Args:
        place: What answers.
        requests: In any order.
        replies: Where replies are found, and kept as soon as they are there.
        advance: Called once for every request that is settled.
        concurrency: Most requests at a time.
        timeout_s: Longest wait for one answer.

    Raises:
        InputError: the key is refused, or the model is unknown.
        EndpointError: the endpoint cannot be reached, or it fails again and again; what was answered is kept.
    """
    keys = [request_key(place, request) for request in requests]
    missing = {key: request for key, request in zip(keys, requests, strict=True) if replies.get(key) is None}
    for key in keys:
        if key not in missing:
            advance()
    found = await _Round(place, replies, timeout_s).settle(missing, _counting(keys, advance), concurrency)
    return [replies.get(key) or found[key] for key in keys]


def _counting(keys: Sequence[str], advance: Callable[[], None]) -> Callable[[str], None]:
    counts = Counter(keys)

    def settled(key: str) -> None:
        for _ in range(counts[key]):
            advance()

    return settled


class _Round:
    """The requests of one call, and how the endpoint has behaved so far."""

    def __init__(self, place: Endpoint, replies: Replies, timeout_s: float) -> None:
        self._place, self._replies, self._timeout_s = place, replies, timeout_s
        self._answered = False
        self._fruitless = 0

    async def settle(
        self, missing: Mapping[str, ChatRequest], settled: Callable[[str], None], concurrency: int
    ) -> dict[str, Failure]:
        """Keeps the replies and returns the failures, by key."""
        failures: dict[str, Failure] = {}
        queue = iter(missing.items())
        place = self._place
        try:
            async with (
                AsyncInferenceClient(base_url=place.url, api_key=place.key, timeout=self._timeout_s) as client,
                asyncio.TaskGroup() as group,
            ):
                for _ in range(min(concurrency, len(missing))):
                    group.create_task(self._work(client, queue, failures, settled))
        except BaseExceptionGroup as errors:
            known, _ = errors.split(RecodeError)
            raise (known or errors).exceptions[0] from None
        return failures

    async def _work(
        self,
        client: AsyncInferenceClient,
        queue: Iterator[tuple[str, ChatRequest]],
        failures: dict[str, Failure],
        settled: Callable[[str], None],
    ) -> None:
        for key, request in queue:
            found = await self._patiently(client, request)
            if isinstance(found, Reply):
                self._replies.put(key, found)
                self._answered, self._fruitless = True, 0
            else:
                failures[key] = found
                self._note(found)
            settled(key)

    async def _patiently(self, client: AsyncInferenceClient, request: ChatRequest) -> Reply | Failure:
        """Returns the reply, or the failure after the last attempt."""
        found = await repeated(lambda: self._once(client, request), self._timeout_s)
        if not isinstance(found, GivenUp):
            return Reply(*found)
        ends = fatal(found.error, self._place)
        if ends:
            raise ends from found.error
        return Failure(said_by(found.error, self._place), found.attempts, refused=not passes(found.error))

    async def _once(self, client: AsyncInferenceClient, request: ChatRequest) -> dict[str, Any]:
        try:
            found = await client.chat_completion(
                [{"role": message.role, "content": message.content} for message in request.messages],
                model=self._place.model,
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                seed=request.seed,
                logprobs=True if request.top_logprobs else None,
                top_logprobs=request.top_logprobs,
            )
        except RecursionError as error:  # what the client does with NaN
            raise Answerless from error
        if not found.choices:
            raise Answerless
        raw: dict[str, Any] = _plain(found)
        return raw

    def _note(self, failure: Failure) -> None:
        """Ends the work when the endpoint fails again and again; refusals tell that only before the first reply."""
        if self._answered and failure.refused:
            return
        self._fruitless += 1
        if self._fruitless >= GIVE_UP:
            raise hopeless(self._place, failure.reason)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A request that failed for good."""

    error: Exception
    """Of the last attempt."""
    attempts: int


async def repeated(request: Callable[[], Awaitable[_Found]], timeout_s: float) -> tuple[_Found, int] | GivenUp:
    """Returns what a request returns, and its attempts; it is repeated after failures that pass by themselves.

    Args:
        request: Makes the request anew; raises one of `ERRORS` where it fails.
        timeout_s: Longest wait for one answer.
    """
    attempt = 1
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                return await request(), attempt
        except ERRORS as error:
            if isinstance(error, AttributeError | TypeError) and status_of(error) is None:
                raise
            if not passes(error) or attempt == ATTEMPTS:
                return GivenUp(error, attempt)
            wait_s = pause_s(attempt, error)
        await asyncio.sleep(wait_s)
        attempt += 1


def _plain(value: Any) -> Any:
    """Returns JSON of the client's objects, whose attributes hold fields that they lack as dictionaries."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in vars(value).items()} if is_dataclass(value) else value


def completed(work: Coroutine[Any, Any, _Found]) -> _Found:
    """Returns what a coroutine returns, for callers that are not asynchronous, notebooks included."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:  # a notebook runs its cells inside a loop
        return pool.submit(asyncio.run, work).result()
