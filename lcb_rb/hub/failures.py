"""What errors of the Hub mean, which of them pass by themselves, and what to do about the others."""

import json
import logging
import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub import get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)
from huggingface_hub.utils._http import parse_ratelimit_headers

from lcb_rb.errors import HubError, InputError, RecodeError

BACKOFF_S = 1.0
"""First pause before a request is repeated; the next ones are twice as long each."""

LONGEST_PAUSE_S = 300.0
ATTEMPTS = 6
PASSING = frozenset((408, 429, 500, 502, 503, 504))
MOVED = frozenset((409, 412))
"""Somebody else has committed meanwhile."""

HUB_ERRORS = (
    *(HfHubHTTPError, HFValidationError, httpx2.HTTPError, ConnectionError, LocalTokenNotFoundError),
    *(LocalEntryNotFoundError, RevisionResolutionError, json.JSONDecodeError, RuntimeError),
)
"""What the clients raise for a request that failed; hf_xet raises RuntimeError, a page in place of JSON the decoder."""

_WRITTEN_STATUS = re.compile(r"HTTP status (?:client|server) error \((\d{3}) ")

_LOG = logging.getLogger(__name__)
_Found = TypeVar("_Found")


def status_of(error: BaseException) -> int | None:
    """Returns the HTTP status that an error stands for, None where there was no answer; hf_xet only writes it."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code
    found = _WRITTEN_STATUS.search(str(error))
    return int(found[1]) if found else None


def passes(error: BaseException) -> bool:
    """Returns whether the same request may succeed later."""
    if isinstance(error, OfflineModeIsEnabled | LocalTokenNotFoundError | HFValidationError):
        return False
    status = status_of(error)
    return status in PASSING if status else isinstance(error, httpx2.TransportError | ConnectionError | RuntimeError)


def patiently(request: Callable[[], _Found]) -> _Found:
    """Returns what a request returns, repeated after failures that pass by themselves."""
    for attempt in range(1, ATTEMPTS):
        try:
            return request()
        except HUB_ERRORS as error:
            if not passes(error):
                raise
            pause(attempt, error)
    return request()


def pause(attempt: int, error: BaseException) -> None:
    """Waits before the next attempt: as long as the server asks for, else longer each time."""
    pause_s = min(asked_s(error) or BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0), LONGEST_PAUSE_S)
    _LOG.info("request failed (%s); again in %.1f s", first_line(error), pause_s)
    time.sleep(pause_s)


def asked_s(error: BaseException) -> float | None:
    """Returns how long a server asks to wait, seconds."""
    if not isinstance(error, HfHubHTTPError):
        return None
    text = error.response.headers.get("Retry-After", "")
    limit = parse_ratelimit_headers(error.response.headers) if error.response.status_code == 429 else None
    return float(text) if text.isdecimal() else float(limit.reset_in_seconds) if limit else None


def explained(error: BaseException, place: str) -> RecodeError:
    """Returns the one line for an error: what, where, what to do.

    Args:
        error: Of a client of the Hub.
        place: The repository, such as `dataset recode/lcb-rb`.
    """
    local = isinstance(error, LocalEntryNotFoundError | RevisionResolutionError)
    if local and error.__cause__ is not None and status_of(error.__cause__):
        return explained(error.__cause__, place)
    if isinstance(error, json.JSONDecodeError):
        return HubError(f"{place}: what answers is no Hub; check HF_ENDPOINT, and whether a proxy stands in between")
    if isinstance(error, GatedRepoError):
        return InputError(f"{place}: is gated; ask for access on its page, then log in as who was given it")
    if isinstance(error, RepositoryNotFoundError):
        return InputError(f"{place}: is not on the Hub, or is private; check the id, and log in with `hf auth login`")
    if isinstance(error, RevisionNotFoundError):
        return InputError(f"{place}: has no such revision; give a branch, tag or commit that it has")
    if isinstance(error, OfflineModeIsEnabled):
        return InputError(f"{place}: HF_HUB_OFFLINE is set; unset it to use the network")
    if isinstance(error, LocalTokenNotFoundError):
        return InputError(f"{place}: no token; log in with `hf auth login` or set HF_TOKEN")
    if isinstance(error, HFValidationError):
        return InputError(f"{place}: is no repository id; give it as owner/name")
    if local:
        return HubError(f"{place}: is not in the cache, and the Hub was not reached; run it once with the network")
    status = status_of(error)
    return _of_status(status, error, place) if status else _unreachable(error, place)


def _of_status(status: int, error: BaseException, place: str) -> RecodeError:
    said = first_line(error)
    if status == 403 and not isinstance(error, HfHubHTTPError):
        what = "the upload is refused: over a limit of the account, or without the right to write"
        return InputError(f"{place}: {what} ({said}); free space, or use another token")
    if status == 401 and not get_token():
        return InputError(f"{place}: no token; log in with `hf auth login` or set HF_TOKEN")
    if status == 401:
        return InputError(f"{place}: the token is not valid; make a new one and log in with `hf auth login`")
    if status in (402, 413) or (status == 403 and any(word in said.lower() for word in ("storage", "quota"))):
        return InputError(f"{place}: over a limit of the account ({said}); free space, or change the plan")
    if status == 403:
        return InputError(f"{place}: the token may not do this ({said}); use one that may write, or --create-pr")
    if status == 404:
        return InputError(f"{place}: was not found ({said}); check the id and the --type")
    if status in PASSING:
        return HubError(f"{place}: the Hub fails ({status}: {said}); run the same command again later")
    if status in MOVED:
        return HubError(f"{place}: others commit all the time ({said}); run the same command again later")
    return InputError(f"{place}: the Hub refuses it ({status}: {said}); mend what it names")


def _unreachable(error: BaseException, place: str) -> RecodeError:
    said = first_line(error)
    return HubError(f"{place}: the connection failed ({said}); run the same command again to finish")


def first_line(error: BaseException) -> str:
    """Returns what a server or a client said, on one line."""
    said = error.server_message if isinstance(error, HfHubHTTPError) and error.server_message else str(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
