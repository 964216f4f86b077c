"""LCB-RB: preference pairs of reasoning processes for code, and what measures reward models on them."""

__version__ = "0.1.0"
