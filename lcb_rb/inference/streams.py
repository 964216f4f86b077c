"""Requests that are too many for memory: what comes of them is handed on as it comes."""

import asyncio
import threading
from collections.abc import Generator, Iterable
from queue import SimpleQueue

from lcb_rb.inference.chat import ChatRequest, Endpoint, Failure, Reply
from lcb_rb.inference.client import CONCURRENCY, TIMEOUT_S, Round
from lcb_rb.inference.journal import Store
from lcb_rb.inference.offline import answers
from lcb_rb.inference.spending import Spent

AHEAD = 64
"""Answers that may wait to be taken, so that a reader who is busy for a moment keeps nobody waiting."""

THREAD = "recode-requests"
"""Name of the thread that makes them."""

_Came = tuple[int, Reply | Failure]


def stream(
    place: Endpoint,
    requests: Iterable[ChatRequest],
    replies: Store,
    *,
    concurrency: int = CONCURRENCY,
    timeout_s: float = TIMEOUT_S,
    spent: Spent | None = None,
) -> Generator[_Came, None, None]:
    """Yields number and reply of every request, or why there is none, in the order in which they come.

    Requests are read from another thread, and only so far ahead as they are made. Whoever stops early closes the
    iterator (`contextlib.closing`): what is under way is given up then.

    Args:
        place: What answers.
        requests: As many as one likes; of equal ones, those that come later find the reply of the first.
        replies: Where replies are found, and kept before they are yielded.
        concurrency: Most requests at a time.
        timeout_s: Longest wait for one answer.
        spent: Where it is counted.

    Raises:
        InputError: as `ask`.
        EndpointError: as `ask`.
    """
    if place.offline:
        spent = spent or Spent()
        with spent.timed():
            yield from answers(place, enumerate(requests), replies, spent)
        return
    inbox: SimpleQueue[_Came | BaseException | None] = SimpleQueue()
    room = asyncio.Semaphore(AHEAD)

    async def settled(number: int, found: Reply | Failure) -> None:
        await room.acquire()
        inbox.put((number, found))

    loop = asyncio.new_event_loop()
    task = loop.create_task(Round(place, replies, timeout_s, spent).settle(requests, settled, concurrency))
    thread = threading.Thread(target=_run, args=(loop, task, inbox), name=THREAD, daemon=True)
    thread.start()
    try:
        while (came := inbox.get()) is not None:
            if isinstance(came, BaseException):
                raise came
            loop.call_soon_threadsafe(room.release)
            yield came
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def _run(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], inbox: "SimpleQueue[_Came | BaseException | None]"
) -> None:
    end: BaseException | None = None
    try:
        loop.run_until_complete(task)
    except BaseException as error:  # noqa: BLE001 - raised where the answers are read
        end = error
    loop.run_until_complete(loop.shutdown_asyncgens())
    inbox.put(end)
