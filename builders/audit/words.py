"""The words of a text, as bags of words take them."""

import re
from collections import Counter

_WORD = re.compile(r"\w+")


def words_of(text: str) -> Counter[str]:
    """Returns how often each word occurs, in lower case."""
    return Counter(_WORD.findall(text.lower()))
