"""Judges behind an OpenAI-compatible endpoint."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lcb_rb.errors import EndpointError, InputError
from lcb_rb.inference import ChatRequest, Endpoint, Failure, Message, Replies, Reply, asked, opened
from lcb_rb.inference.chat import Spot, used
from lcb_rb.scorers.judges import Answer, weighed
from lcb_rb.scorers.judges_prompt import Question

LOGPROBS = (20, 5, None)
"""Probabilities asked for, until the endpoint accepts: OpenAI gives 20 at most, some fewer, some none."""
_MARKS = r"[\s*_\"'`.:()\[\]]*"
_WORDS = r"(?:(?:the|my|final|better|one|answer|rating|score|verdict|reasoning|is)\b" + _MARKS + ")*"


class EndpointOracle:
    """Asks at temperature 0; an answer is the last line of what the model writes."""

    def __init__(self, place: Endpoint, *, seed: int = 0, max_tokens: int = 1024) -> None:
        """Keeps what is asked for.

        Args:
            place: Model and address.
            seed: For endpoints that know it.
            max_tokens: Most tokens of an answer, thinking included.
        """
        self._place, self._seed, self._max_tokens = place, seed, max_tokens
        self.name = place.model
        self.revision = f"{place.model} at {place.host}, temperature 0, seed {seed}, at most {max_tokens} tokens"
        self.notes = [f"judge {self.revision}"]
        self._replies = Replies()
        self._found: list[Reply | Failure] = []

    def safe(self, text: str) -> str:
        """Returns the text: the control tokens of a model that is elsewhere are not known, beyond the common ones."""
        return text

    def answers(
        self, questions: Sequence[Question], allowed: Sequence[str], advance: Callable[[], None]
    ) -> list[Answer]:
        """Returns an answer a question; None for what is not answered, refused, cut or no allowed answer.

        Raises:
            InputError: the key is refused, or the model is unknown, or every request is refused.
            EndpointError: the endpoint cannot be reached, or it fails again and again.
        """
        if not questions:
            return []
        first, logprobs = self._first(questions[0])
        advance()
        others = [self._request(question, logprobs) for question in questions[1:]]
        self._found = [first, *asked(self._place, others, self._replies, advance)]
        self._refuse_silence()
        return [self._answer(reply, allowed) for reply in self._found]

    def told(self) -> list[str]:
        """Returns what the answers cost, what had to be repeated, and who says to have answered."""
        replies = list({id(reply): reply for reply in self._found if isinstance(reply, Reply)}.values())
        prompts, answers = used(replies)
        repeated = sum(reply.attempts > 1 for reply in replies)
        failed = sum(isinstance(found, Failure) for found in self._found)
        names = sorted({reply.model for reply in replies} - {"", self._place.model})
        notes = [f"tokens used: {prompts} of prompts, {answers} of answers"]
        notes += [f"{repeated} of {len(replies)} answers took more than one request"] * bool(repeated)
        notes += [f"{failed} of {len(self._found)} requests failed"] * bool(failed)
        return notes + [f"answers are signed by {', '.join(names)}"] * bool(names)

    @contextmanager
    def keeping(self, journal: Path) -> Iterator[None]:
        """Keeps the replies in a file; what is in it is not asked again."""
        with opened(journal) as self._replies:
            yield

    def _first(self, question: Question) -> tuple[Reply | Failure, int | None]:
        """Returns the first reply, and for how many probabilities the endpoint lets itself be asked."""
        for logprobs in LOGPROBS:
            found = asked(self._place, [self._request(question, logprobs)], self._replies)[0]
            if not (isinstance(found, Failure) and found.refused and "logprob" in found.reason.lower()):
                return found, logprobs
        return found, None

    def _request(self, question: Question, logprobs: int | None) -> ChatRequest:
        return ChatRequest(
            messages=(Message(role="user", content=question.prompt),),
            max_tokens=self._max_tokens,
            seed=self._seed,
            top_logprobs=logprobs,
        )

    def _refuse_silence(self) -> None:
        """Refuses to call it a result when nothing was answered at all."""
        failures = [found for found in self._found if isinstance(found, Failure)]
        if len(failures) < len(self._found):
            return
        reason = Counter(found.reason for found in failures).most_common(1)[0][0]
        where = f"{self._place.model} at {self._place.host}"
        if all(found.refused for found in failures):
            raise InputError(f"{where}: every request is refused ({reason}); mend what it names")
        raise EndpointError(f"{where}: no request is answered ({reason}); run it again later")

    def _answer(self, found: Reply | Failure, allowed: Sequence[str]) -> Answer:
        if isinstance(found, Failure):
            return Answer({}, reason=found.reason)
        if found.refusal or found.finish_reason == "content_filter":
            return Answer({}, reason="the judge refuses")
        if found.finish_reason == "length":
            limit = f"cut at {self._max_tokens} tokens"
            return Answer({}, reason=f"the answer is {limit}; raise max_tokens of `judge` in --adapter")
        return read_answer(found, allowed)


def read_answer(reply: Reply, allowed: Sequence[str]) -> Answer:
    """Returns what a reply says: its last line must be an allowed answer, whose token tells how sure the judge is."""
    text = reply.text.rpartition("</think>")[2].strip()
    line = text.rpartition("\n")[2]
    found = re.fullmatch(f"{_MARKS}(?i:{_WORDS})({'|'.join(map(re.escape, allowed))}){_MARKS}", line)
    if not found:
        return Answer({}, reason="no allowed answer in the last line" if line else "the answer is empty")
    spot = _spot(reply.spots, text, len(text) - len(line) + found.start(1), found[1])
    if spot is None:
        return Answer({answer: float(answer == found[1]) for answer in allowed})
    return weighed(_masses(spot, allowed))


def _spot(spots: Sequence[Spot], text: str, offset: int, answer: str) -> Spot | None:
    """Returns the token that is the answer at that place of the text, when its rivals are known."""
    written = "".join(spot.token for spot in spots)
    start = written.rfind(text)  # what precedes it is thinking, what follows is the end of the turn
    if start < 0:
        return None
    end = 0
    for spot in spots:
        end += len(spot.token)
        if end > start + offset:
            return spot if spot.top_logprobs and spot.token.strip() == answer else None
    return None


def _masses(spot: Spot, allowed: Sequence[str]) -> dict[str, float]:
    """Returns the probability of every allowed answer; tokens that differ in white space are one answer."""
    known = {spot.token: spot.logprob} | {rival.token: rival.logprob for rival in spot.top_logprobs or []}
    masses = dict.fromkeys(allowed, 0.0)
    for token, logprob in known.items():
        if token.strip() in masses:
            masses[token.strip()] += math.exp(min(logprob, 0.0))
    return masses
