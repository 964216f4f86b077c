"""Tests of kind `stdin`: a program is given an input, and its output is compared here."""

from . import compare
from .child import Child
from .errors import FailedError
from .run import Run, ask, job, refuse_error


def run_programs(work: Run) -> None:
    """Runs every test in a child of its own: state cannot pass from test to test, and there is no second try."""
    inputs, outputs = work.task.tests["inputs"], work.task.tests["outputs"]
    for index in work.order(len(inputs)):
        with work.child(1, streams=True) as child:
            child.tell(job(work, "stdin"))
            try:
                run_program(child, inputs[index], outputs[index], index)
            except FailedError:
                work.failed(index, len(inputs))
                raise


def run_program(child: Child, given: str, expected: str, index: int) -> None:
    """Returns when the program gave the right output and ended well, be it by ending its process.

    Raises:
        FailedError: the test failed.
    """
    child.put_stdin(given)
    reply = ask(child, index, may_end=True)
    if "syntax" in reply:
        refuse_error(reply, None)
    output, flooded = child.stdout()
    if flooded:
        raise FailedError("OUTPUT_LIMIT", f"over {child.limits.output_mb} MiB", index)
    if reply.get("exit") != 0:
        refuse_error(reply, index)
        raise FailedError("RUNTIME_ERROR", str(reply.get("message", "")), index)
    if not compare.stdout_matches(output, expected):
        raise FailedError("WRONG_ANSWER", "the output differs", index)
