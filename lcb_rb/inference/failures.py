"""What errors of an endpoint mean: which pass by themselves, and which end the work."""

import email.utils
import random
from datetime import UTC, datetime

import httpx2
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from lcb_rb.errors import EndpointError, InputError, RecodeError
from lcb_rb.hub.failures import ATTEMPTS, BACKOFF_S, LONGEST_PAUSE_S
from lcb_rb.inference.chat import KEY, Endpoint, Failure

__all__ = ["ATTEMPTS", "ERRORS", "Answerless", "fatal", "hopeless", "passes", "pause_s", "said_by", "status_of"]

ERRORS = (httpx2.HTTPError, OSError, ValueError, AttributeError, TypeError)
"""What the client raises for a request that failed; the last two come from its reading of odd bodies of errors."""
PASSING = frozenset((408, 409, 425, 429))
"""Besides those from 500 on."""


class Answerless(ValueError):
    """An answer of status 200 without choices: proxies report their errors so."""


def status_of(error: BaseException) -> int | None:
    """Returns the HTTP status that an error stands for, None where there was no answer."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, HfHubHTTPError | httpx2.HTTPStatusError):
            return seen.response.status_code
        seen = seen.__cause__ or seen.__context__
    return None


def passes(error: BaseException) -> bool:
    """Returns whether the same request may succeed later."""
    if isinstance(error, OfflineModeIsEnabled):
        return False
    status = status_of(error)
    return status >= 500 or status in PASSING if status else True


def pause_s(attempt: int, error: BaseException) -> float:
    """Returns how long to wait before the next attempt: as the server asks, else longer each time."""
    asked = _asked_s(error)
    return min(BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0) if asked is None else asked, LONGEST_PAUSE_S)


def _asked_s(error: BaseException) -> float | None:
    """Returns what Retry-After says, seconds or a date."""
    text = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    try:
        return float(text) if text[:1].isdecimal() else _until_s(email.utils.parsedate_to_datetime(text))
    except ValueError:
        return None


def _until_s(date: datetime) -> float:
    return max((date - datetime.now(UTC)).total_seconds(), 0.0)


def fatal(error: BaseException, place: Endpoint) -> RecodeError | None:
    """Returns the one line for an error that every other request would meet, too; None for others."""
    where = f"{place.model} at {place.host}"
    status = status_of(error)
    if isinstance(error, OfflineModeIsEnabled):
        return InputError(f"{where}: HF_HUB_OFFLINE is set; unset it to use the network")
    if status == 401:
        return InputError(f"{where}: the key is refused; set {KEY}, or HF_TOKEN for hosts of Hugging Face")
    if status == 402:
        return InputError(f"{where}: the account has no credit left; what was answered is kept, run it again then")
    if status == 404:
        what = f"no such model or address ({said_by(error, place)})"
        return InputError(f"{where}: {what}; check the model's name and --base-url, which mostly ends in /v1")
    if status is None and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return EndpointError(f"{where}: cannot be reached; start the server, or check --base-url, and run it again")
    return None


def hopeless(place: Endpoint, failure: Failure) -> RecodeError:
    """Returns the one line for an endpoint that fails, or refuses, again and again."""
    where = f"{place.model} at {place.host}"
    if failure.refused:
        return InputError(f"{where}: every request is refused ({failure.reason}); mend what it names")
    return EndpointError(f"{where}: no request succeeds ({failure.reason}); run it again later")


def said_by(error: BaseException, place: Endpoint) -> str:
    """Returns what the server said, or what happened, on one line and without the key."""
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return "no answer in time"
    if isinstance(error, Answerless):
        return "a reply without an answer"
    if isinstance(error, ValueError) and status_of(error) is None:
        return "a reply that is no JSON"
    status = status_of(error)
    said = _message(error) if isinstance(error, HfHubHTTPError) else "" if status else type(error).__name__
    line = " ".join(said.replace(place.key, "***").split())[:160]
    return f"{status}: {line}" if status and line else str(status or line)


def _message(error: HfHubHTTPError) -> str:
    """Returns what stands where OpenAI's errors, or those of FastAPI, have their message, else the client's."""
    try:
        body = error.response.json()
        found = body.get("error") or body.get("detail")
        return str(found["message"] if isinstance(found, dict) else found or error.server_message or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return error.server_message or ""
