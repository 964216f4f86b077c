"""Grading without keeping an executor: for one sample or one batch."""

from collections.abc import Callable, Iterable, Iterator

from lcb_rb.execution.executor import Executor
from lcb_rb.execution.limits import Limits
from lcb_rb.schema import Isolation, Problem, Result


def grade(problem: Problem, solution: str, limits: Limits | None = None) -> Result:
    """Returns the verdict on a solution; starts an executor for it, so for more than one use `Executor`.

    Raises:
        InputError: the machine reaches no level that protects it.
    """
    with Executor(1, limits=limits) as executor:
        return executor.grade(problem, solution)


def grade_many(
    items: Iterable[tuple[Problem, str]],
    workers: int | None = None,
    limits: Limits | None = None,
    *,
    ordered: bool = True,
    settled: Callable[[int, Result], None] = lambda index, result: None,
) -> Iterator[Result]:
    """Yields the results of (problem, solution) items, in their order or as completed.

    Args:
        items: Read as needed, so it may be endless.
        workers: As in `Executor`.
        limits: As in `Executor`.
        ordered: Whether in the items' order.
        settled: Called with number and result of every item when it is yielded.

    Raises:
        InputError: the machine reaches no level that protects it.
    """
    with Executor(workers, limits=limits) as executor:
        found = enumerate(executor.grade_many(items)) if ordered else executor.grade_as_completed(items)
        for index, result in found:
            settled(index, result)
            yield result


def require_isolation(least: Isolation) -> None:
    """Refuses before any work when the machine does not reach a level of isolation.

    Raises:
        InputError: it does not.
    """
    Executor(1, least=least).close()
