"""Connecting to Ray, and its errors in our words."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lcb_rb.errors import GradingError, MissingExtraError, RecodeError

START_S = 300.0
"""Time that nodes may take to give their processors."""


def connect() -> bool:
    """Connects to the cluster that `RAY_ADDRESS` names, or starts one of this machine; returns whether it did either.

    Raises:
        MissingExtraError: Ray is not installed.
        GradingError: there is no such cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(os.environ.get("RAY_ADDRESS", "local"), log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError) as error:
        raise GradingError(f"Ray cannot be reached: {error}; see RAY_ADDRESS") from error
    return True


@contextmanager
def connected() -> Iterator[None]:
    """Connects as `connect` does, and leaves when the block ends what was not there before."""
    ours = connect()
    try:
        yield
    finally:
        if ours:
            import ray

            ray.shutdown()


@contextmanager
def for_users() -> Iterator[None]:
    """Turns Ray's errors into ours: what a node refused, as it refused it; the loss of a node into GradingError."""
    from ray.exceptions import GetTimeoutError, RayError, RayTaskError

    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, RecodeError):
            raise error.cause from error
        raise
    except GetTimeoutError as error:
        raise GradingError(f"Ray's nodes gave no processors in {START_S:g} s; are others using them?") from error
    except RayError as error:
        what = str(error).partition("\n")[0]
        raise GradingError(f"a node of the Ray cluster was lost ({what}); run it again to go on") from error
