"""Asking language models behind an OpenAI-compatible endpoint: many requests at a time, patiently, each paid once."""

from lcb_rb.inference.chat import HUGGING_FACE, ChatRequest, Endpoint, Failure, Message, Reply, endpoint
from lcb_rb.inference.client import ask, asked
from lcb_rb.inference.journal import Replies, opened

__all__ = [
    "HUGGING_FACE",
    "ChatRequest",
    "Endpoint",
    "Failure",
    "Message",
    "Replies",
    "Reply",
    "ask",
    "asked",
    "endpoint",
    "opened",
]
