"""Asking language models: many requests at a time, patiently, each paid once."""

from lcb_rb.inference.cache import Cache
from lcb_rb.inference.chat import HUGGING_FACE, ChatRequest, Endpoint, Failure, Message, Reply, endpoint, place_of
from lcb_rb.inference.client import ask, asked
from lcb_rb.inference.journal import Replies, Store, opened
from lcb_rb.inference.spending import Prices, Spent
from lcb_rb.inference.streams import stream

__all__ = [
    "HUGGING_FACE",
    "Cache",
    "ChatRequest",
    "Endpoint",
    "Failure",
    "Message",
    "Prices",
    "Replies",
    "Reply",
    "Spent",
    "Store",
    "ask",
    "asked",
    "endpoint",
    "opened",
    "place_of",
    "stream",
]
