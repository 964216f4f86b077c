"""The embedded starter set: original problems, tests and samples written for this project."""

from pathlib import Path

DIRECTORY = Path(__file__).parent
"""Holds `problems.jsonl` and `samples.jsonl`."""
