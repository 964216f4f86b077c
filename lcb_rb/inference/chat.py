"""What is asked of an endpoint, and what comes back."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from huggingface_hub import get_token
from pydantic import BaseModel, ValidationError

from lcb_rb.errors import InputError
from lcb_rb.schema import Record

HUGGING_FACE = "https://router.huggingface.co/v1"
"""Hugging Face's router to its inference providers."""
OFFLINE = "vllm:"
"""Begins the name of a model that vLLM runs in this process; also stands where an endpoint has its address."""
HF_HOSTS = ("huggingface.co", "huggingface.cloud", "hf.space")
"""Hosts, and their subdomains, that the Hub's token is sent to: no other host ever sees it."""
KEY = "OPENAI_API_KEY"
"""Environment variable with the key of all other hosts."""
NO_KEY = "none"
"""Sent in place of a key: without one the client would send the Hub's token to any host."""


class Message(Record):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    """Whose."""
    content: str
    """Text."""


class ChatRequest(Record):
    """One request, without where it goes."""

    messages: tuple[Message, ...]
    """The chat so far."""
    max_tokens: int
    """Most tokens of the answer, its thinking included."""
    temperature: float = 0.0
    """0 for the likeliest tokens."""
    seed: int | None = None
    """For endpoints that know it."""
    top_logprobs: int | None = None
    """Likeliest tokens that are wanted with their probability at every place; None for none."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model at an address; `endpoint` and `place_of` make it."""

    url: str
    """Such as http://localhost:8000/v1; nothing secret."""
    model: str
    """Its name there."""

    @property
    def offline(self) -> bool:
        """Whether it is vLLM in this process."""
        return self.url == OFFLINE

    @property
    def host(self) -> str:
        """Name and port."""
        return "vLLM" if self.offline else urlsplit(self.url).netloc

    @property
    def key(self) -> str:
        """The key for that host, of the environment; never to be shown or stored."""
        name = urlsplit(self.url).hostname or ""
        if any(name == host or name.endswith(f".{host}") for host in HF_HOSTS):
            return get_token() or NO_KEY
        return os.environ.get(KEY) or NO_KEY


def endpoint(url: str, model: str, field: str = "--base-url") -> Endpoint:
    """Returns the endpoint.

    Args:
        url: Its address.
        model: Its name there.
        field: Where the address was given, for the message.

    Raises:
        InputError: no address of a server, or it holds a password or a query, which would stand in reports.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known:
        raise InputError(f"{field}: no address of a server; write it as http://localhost:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InputError(f"{field}: only scheme, host and path may stand in it; put the key into {KEY}")
    return Endpoint(url, model)


def place_of(model: str, base_url: str | None) -> Endpoint:
    """Returns what `--model` and `--base-url` name: an endpoint, or with `vllm:NAME` a model in this process.

    Raises:
        InputError: the address is none, or a model in this process has one.
    """
    if not model.startswith(OFFLINE):
        return endpoint(base_url or HUGGING_FACE, model)
    if base_url is not None:
        raise InputError(f"--model {model} runs in this process and has no address; leave out --base-url")
    return Endpoint(OFFLINE, model.removeprefix(OFFLINE))


def described(place: Endpoint, request: ChatRequest) -> dict[str, Any]:
    """Returns what is asked, and of whom, as JSON."""
    return {"url": place.url, "model": place.model, **request.model_dump(mode="json")}


def request_key(place: Endpoint, request: ChatRequest) -> str:
    """Returns the sha256 of everything that an answer depends on."""
    parts = [place.url, place.model, request.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Token(BaseModel):
    """A token and how likely it was."""

    token: str
    """Text."""
    logprob: float
    """Natural logarithm of its probability."""


class Spot(Token):
    """A token of the answer, and what could have stood in its place."""

    top_logprobs: list[Token] | None = None
    """The likeliest ones."""


class _Logprobs(BaseModel):
    content: list[Spot]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint said, as it said it; every property passes over what is not of the expected form."""

    raw: dict[str, Any]
    """The JSON object."""
    attempts: int
    """Requests that it took."""

    @property
    def text(self) -> str:
        """What the model wrote; "" when it wrote nothing."""
        return (self._choice.message.content if self._choice else None) or ""

    @property
    def finish_reason(self) -> str:
        """Why it stopped, such as stop, length or content_filter."""
        return (self._choice.finish_reason if self._choice else None) or ""

    @property
    def refusal(self) -> str:
        """What it wrote in place of an answer."""
        return (self._choice.message.refusal if self._choice else None) or ""

    @property
    def reasoning(self) -> str:
        """What it thought, where the endpoint takes that out of the text."""
        message = self._choice.message if self._choice else None
        found = (message.reasoning_content or message.reasoning) if message else None
        return found if isinstance(found, str) else ""

    @property
    def spots(self) -> list[Spot]:
        """The answer token by token; empty where the endpoint gives no probabilities."""
        try:
            return _Logprobs.model_validate(self._choice.logprobs).content if self._choice else []
        except ValidationError:
            return []

    @property
    def model(self) -> str:
        """The model that says to have answered, which may be more exact than the one asked for."""
        return str(self.raw.get("model") or "")

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens of the prompt and of the answer; 0 where the endpoint does not tell."""
        try:
            usage = _Usage.model_validate(self.raw.get("usage"))
        except ValidationError:
            return 0, 0
        return usage.prompt_tokens or 0, usage.completion_tokens or 0

    @property
    def _choice(self) -> _Choice | None:
        choices = self.raw.get("choices")
        try:
            return _Choice.model_validate(choices[0]) if isinstance(choices, list) and choices else None
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without an answer; it says nothing about what was asked."""

    reason: str
    """One line."""
    attempts: int
    """Requests that were made."""
    refused: bool = False
    """Whether the endpoint will not have this request, rather than fail."""


def used(replies: Iterable[Reply]) -> tuple[int, int]:
    """Returns the tokens of the prompts and of the answers, summed."""
    counts = [reply.tokens for reply in replies]
    return sum(prompt for prompt, _ in counts), sum(answer for _, answer in counts)
