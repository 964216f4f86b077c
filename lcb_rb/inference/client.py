"""Requests to an endpoint, many at a time; failures that pass are waited out."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeVar

from huggingface_hub import AsyncInferenceClient

from lcb_rb.errors import RecodeError
from lcb_rb.inference.chat import ChatRequest, Endpoint, Failure, Reply, described, request_key
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
from lcb_rb.inference.journal import Store
from lcb_rb.inference.offline import answers
from lcb_rb.inference.spending import Spent

CONCURRENCY = 16
"""Requests at a time."""
CONNECTIONS = 100
"""Requests that one client of HTTP makes at a time; further ones would wait without being sent."""
TIMEOUT_S = 600.0
"""Longest wait for one answer, seconds."""
GIVE_UP = 20
"""Requests in a row that may fail, each after all its attempts, before the endpoint counts as broken."""

_Found = TypeVar("_Found")


def asked(
    place: Endpoint,
    requests: Sequence[ChatRequest],
    replies: Store,
    advance: Callable[[], None] = lambda: None,
    *,
    concurrency: int = CONCURRENCY,
    timeout_s: float = TIMEOUT_S,
    spent: Spent | None = None,
) -> list[Reply | Failure]:
    """Returns what `ask` returns, for callers that are not asynchronous, notebooks included."""
    return completed(ask(place, requests, replies, advance, concurrency=concurrency, timeout_s=timeout_s, spent=spent))


async def ask(
    place: Endpoint,
    requests: Sequence[ChatRequest],
    replies: Store,
    advance: Callable[[], None] = lambda: None,
    *,
    concurrency: int = CONCURRENCY,
    timeout_s: float = TIMEOUT_S,
    spent: Spent | None = None,
) -> list[Reply | Failure]:
    """Returns the reply to every request, or why there is none; equal requests are made once, known ones not at all.

    Args:
        place: What answers.
        requests: In any order; where they are too many for memory, use `stream`.
        replies: Where replies are found, and kept as soon as they are there.
        advance: Called once for every request that is settled.
        concurrency: Most requests at a time.
        timeout_s: Longest wait for one answer.
        spent: Where it is counted; equal requests count as one.

    Raises:
        InputError: the key is refused, the model is unknown, or every request is refused.
        EndpointError: the endpoint cannot be reached, or it fails again and again; what was answered is kept.
    """
    keys = [request_key(place, request) for request in requests]
    counts = Counter(keys)
    distinct = dict(zip(keys, requests, strict=True))
    order = list(distinct)
    found: dict[str, Reply | Failure] = {}

    async def settled(number: int, answer: Reply | Failure) -> None:
        found[order[number]] = answer
        for _ in range(counts[order[number]]):
            advance()

    await Round(place, replies, timeout_s, spent).settle(distinct.values(), settled, concurrency)
    return [found[key] for key in keys]


Settled = Callable[[int, Reply | Failure], Awaitable[None]]
"""Takes the number of a request and what came of it."""


class Round:
    """The requests of one call, and how the endpoint has behaved so far."""

    def __init__(self, place: Endpoint, replies: Store, timeout_s: float, spent: Spent | None = None) -> None:
        """Asks nothing yet; arguments as of `ask`."""
        self._place, self._replies, self._timeout_s = place, replies, timeout_s
        self._spent = spent or Spent()
        self._answered = False
        self._fruitless = 0
        self._pending: dict[str, asyncio.Event] = {}

    async def settle(self, requests: Iterable[ChatRequest], settled: Settled, concurrency: int) -> None:
        """Keeps the replies; requests are read as they are needed, and so many are under way all the time.

        Args:
            requests: May be endless.
            settled: Called as soon as something came of a request; while it waits, one request less is under way.
            concurrency: Most requests at a time.

        Raises:
            RecodeError: as `ask`.
        """
        queue = enumerate(requests)
        with self._spent.timed():
            if self._place.offline:
                for number, found in answers(self._place, queue, self._replies, self._spent):
                    await settled(number, found)
                return
            try:
                async with AsyncExitStack() as clients, asyncio.TaskGroup() as group:
                    for worker in range(concurrency):
                        if worker % CONNECTIONS == 0:
                            client = await clients.enter_async_context(self._client())
                        group.create_task(self._work(client, queue, settled))
            except BaseExceptionGroup as errors:
                known, _ = errors.split(RecodeError)
                raise (known or errors).exceptions[0] from None

    def _client(self) -> AsyncInferenceClient:
        return AsyncInferenceClient(base_url=self._place.url, api_key=self._place.key, timeout=self._timeout_s)

    async def _work(
        self, client: AsyncInferenceClient, queue: Iterator[tuple[int, ChatRequest]], settled: Settled
    ) -> None:
        for number, request in queue:
            key = request_key(self._place, request)
            while key in self._pending:  # an equal one is under way
                await self._pending[key].wait()
            known = self._replies.get(key)
            if known:
                self._spent.note(known, known=True)
                await asyncio.sleep(0)  # many in a row must not keep the others from their answers
            await settled(number, known or await self._new(client, key, request))

    async def _new(self, client: AsyncInferenceClient, key: str, request: ChatRequest) -> Reply | Failure:
        """Returns the reply, kept, or the failure."""
        done = self._pending[key] = asyncio.Event()
        try:
            found = await self._patiently(client, request)
            if isinstance(found, Reply):
                self._replies.put(key, found, described(self._place, request))
                self._answered, self._fruitless = True, 0
            self._spent.note(found)
        finally:
            del self._pending[key]
            done.set()
        if isinstance(found, Failure):
            self._note(found)
        return found

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
            raise hopeless(self._place, failure)


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
