"""How judging ends when not by acceptance. None is an Exception: test code that catches those must not swallow them."""


class FailedError(BaseException):
    """The solution failed; carries the verdict."""

    def __init__(self, verdict: str, message: str, test_index: int | None = None) -> None:
        """Takes what the result will say."""
        super().__init__(message)
        self.verdict, self.message, self.test_index = verdict, message[:500], test_index


class SandboxError(BaseException):
    """The instrument failed; says nothing about the code."""


class TestsError(BaseException):
    """The problem's tests, or its reference solution, cannot be used; says nothing about the code."""

    __test__ = False
    """Not a test, whatever pytest makes of its name."""


class OutOfTimeError(Exception):
    """The child used up its CPU or wall time."""


class GoneError(Exception):
    """The child ended instead of answering."""


class FloodError(Exception):
    """The child's answer, what it wrote to its scratch directory, or the number of its threads is too large."""
