"""From replies to rows of samples: what the model wrote, and whether its program passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.sampling_requests import Asking
from lcb_rb.execution.engines import Engine
from lcb_rb.execution.journal import grade_samples
from lcb_rb.inference import Endpoint, Failure, Reply, Store
from lcb_rb.inference.chat import request_key
from lcb_rb.parsing import parse_completion
from lcb_rb.schema import Problem, Result, Sample


def withheld(reply: Reply) -> str:
    """Returns why a reply is no attempt at the problem; empty when it is one."""
    if reply.finish_reason == "content_filter":
        return "the endpoint holds the answer back (content_filter)"
    return "the model refuses" if reply.refusal and not reply.text else ""


def written(reply: Reply) -> str:
    """Returns what the model wrote, its thinking in front where the endpoint has taken that out."""
    text = reply.text
    if reply.reasoning and "</think>" not in text:
        text = f"<think>\n{reply.reasoning}\n</think>\n{text}"
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half characters fit into no file


@dataclass(frozen=True, slots=True)
class Chunk:
    """Problems whose samples are in memory at a time."""

    number: int
    """From 0."""
    problems: Sequence[Problem]
    """Themselves."""


def samples_of(chunk: Chunk, asking: Asking, place: Endpoint, replies: Store) -> list[Sample]:
    """Returns the samples of the replies that are there, problem by problem, each in the order of its numbers."""
    samples = []
    for problem in chunk.problems:
        for number, request in enumerate(asking.requests(problem)):
            key = request_key(place, request)
            reply = replies.get(key)
            if reply and not withheld(reply):
                completion = written(reply)
                parsed = parse_completion(completion)
                samples.append(
                    Sample(
                        id=f"{problem.id}/{key[:16]}",
                        problem_id=problem.id,
                        model=place.model,
                        reasoning=parsed.reasoning,
                        place=parsed.place,
                        code=parsed.code,
                        completion=completion,
                        metadata=_metadata(asking, number, request.seed, reply),
                    )
                )
    return samples


def _metadata(asking: Asking, number: int, seed: int | None, reply: Reply) -> dict[str, Any]:
    prompt, completion = reply.tokens
    return {
        "number": number,
        "prompt_sha256": asking.prompt_sha256,
        "temperature": asking.recipe.temperature,
        "max_tokens": asking.recipe.max_tokens,
        "seed": seed,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
    }


def graded(
    chunk: Chunk, samples: Sequence[Sample], journal: Path, engine: Engine, advance: Callable[[], None]
) -> dict[str, Result]:
    """Returns the results by sample id; samples of problems without tests have none."""
    problems = {problem.id: problem for problem in chunk.problems if problem.tests is not None}
    testable = [sample for sample in samples if sample.problem_id in problems]
    for _ in range(len(samples) - len(testable)):
        advance()
    return grade_samples(testable, problems, journal, engine, advance) if testable else {}


def row_of(sample: Sample, result: Result | None) -> dict[str, Any]:
    """Returns the row of our format."""
    return {
        "id": sample.id,
        "problem_id": sample.problem_id,
        "model": sample.model,
        "completion": sample.completion,
        "passed": result.passed if result else None,
        "metadata": sample.metadata,
    }


def failure_of(found: Reply | Failure) -> str:
    """Returns why something that came gives no row; empty when it gives one."""
    return found.reason if isinstance(found, Failure) else withheld(found)
