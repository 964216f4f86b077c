"""What judges say of samples and pairs: every answer is kept, and what they do not agree on is no label."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from builders.filters import Drop, Keep
from builders.llm_prompts import encodable, read_template
from lcb_rb.errors import InputError
from lcb_rb.inference import Endpoint, Replies, Store
from lcb_rb.metrics.agreement import Agreement, cohen_kappa
from lcb_rb.schema import PreferencePair, Problem, Record, Sample
from lcb_rb.scorers.judges import Answer, Oracle
from lcb_rb.scorers.judges_endpoint import EndpointOracle
from lcb_rb.scorers.judges_prompt import PAIRWISE, Prompt, Question, read_prompt

YES, NO = "yes", "no"
CORRECT, CONSISTENT = "judge_correct.txt", "judge_consistent.txt"
_FIELDS = {CORRECT: {"nonce", "problem", "reasoning"}, CONSISTENT: {"nonce", "problem", "reasoning", "code"}}


class SampleRatings(Record):
    """What each judge answered about a sample; None where there is no answer."""

    sample_id: str
    """Sample."""
    problem_id: str
    """Its problem."""
    correct: tuple[bool | None, ...]
    """Whether the reasoning is correct, by judge."""
    consistent: tuple[bool | None, ...]
    """Whether the code does what the reasoning says, by judge."""


class Label(Record):
    """What all judges agree on; None where one gave no answer, or two say different things."""

    correct: bool | None
    """Whether the reasoning is correct."""
    consistent: bool | None
    """Whether the code does what the reasoning says."""


class PairRatings(Record):
    """Which side was preferred in each of the two questions about a pair; None where there is no answer.

    Sides are "first" and "second" in an order that is drawn for the pair, so that agreement is measured on labels that
    are as frequent as each other.
    """

    pair_id: str
    """Pair."""
    problem_id: str
    """Its problem."""
    better: str
    """Side that is meant to be better."""
    sides: tuple[str | None, str | None]
    """By judge, or by order where there is one judge."""


class CachedOracle(EndpointOracle):
    """A judge at an endpoint whose replies are kept with all others of the build."""

    def __init__(self, place: Endpoint, replies: Store, *, seed: int = 0, max_tokens: int = 1024) -> None:
        """Keeps what is asked for.

        Args:
            place: Model and address.
            replies: Where replies are found and kept.
            seed: For endpoints that know it.
            max_tokens: Most tokens of an answer, thinking included.
        """
        super().__init__(place, seed=seed, max_tokens=max_tokens)
        self._replies = cast(Replies, replies)  # only found and kept, as any Store does


def judge_samples(
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    oracles: Sequence[Oracle],
    advance: Callable[[], None] = lambda: None,
    prompts: Path | None = None,
) -> dict[str, SampleRatings]:
    """Returns the ratings of each sample by its id; every judge is asked two questions about each.

    Args:
        samples: Of any outcome; judges are not told.
        problems: By id.
        oracles: One judge or two.
        advance: Called once for every question.
        prompts: Directory with judge_correct.txt and judge_consistent.txt in place of this package's.

    Raises:
        InputError: no judge or more than two, a prompt that cannot be used, or a judge refuses every question.
        EndpointError: a judge cannot be reached, or answers nothing at all; what was answered is kept.
    """
    _require_judges(oracles)
    asked = {
        name: [_yes_or_no(oracle, name, samples, problems, advance, prompts) for oracle in oracles]
        for name in (CORRECT, CONSISTENT)
    }
    return {
        sample.id: SampleRatings(
            sample_id=sample.id,
            problem_id=sample.problem_id,
            correct=tuple(answers[at] for answers in asked[CORRECT]),
            consistent=tuple(answers[at] for answers in asked[CONSISTENT]),
        )
        for at, sample in enumerate(samples)
    }


def label_of(ratings: SampleRatings) -> Label:
    """Returns what the judges agree on."""
    return Label(correct=_common(ratings.correct), consistent=_common(ratings.consistent))


def of_ratings(ratings: SampleRatings, *, accepted: bool, keep_unjudged: bool) -> Keep | Drop:
    """Filters a sample whose labels are missing, or do not fit to the role that the outcome of its code gives it.

    Args:
        ratings: What the judges answered.
        accepted: Whether its code is accepted, so that it is to be the better side.
        keep_unjudged: Whether it stays where a judge gave no answer, by what the others say.
    """
    asked = (ratings.correct, ratings.consistent) if accepted else (ratings.correct,)
    given = [{answer for answer in answers if answer is not None} for answers in asked]
    if any(None in answers for answers in asked) and not keep_unjudged:
        return Drop("unjudged")
    if any(len(answers) > 1 for answers in given):
        return Drop("judge_disagrees")
    if not accepted:
        return Drop("judged_correct") if given[0] == {True} else Keep()
    if given[0] == {False}:
        return Drop("judged_incorrect")
    return Drop("judged_inconsistent") if given[1] == {False} else Keep()


def judge_pairs(
    pairs: Sequence[PreferencePair],
    oracles: Sequence[Oracle],
    advance: Callable[[], None] = lambda: None,
    prompt: Path | None = None,
) -> dict[str, PairRatings]:
    """Returns the ratings of each pair by its id: of two judges, or of one judge in both orders.

    Two judges see a pair in opposite orders, and which of them sees which is drawn, so that no side stands first more
    often than the other.

    Args:
        pairs: Judges do not see which side is meant to be better.
        oracles: One judge or two.
        advance: Called once for every question, two for each pair.
        prompt: In place of the prompt that `recode score` uses for judges of pairs.

    Raises:
        InputError: no judge or more than two, a prompt that cannot be used, or a judge refuses every question.
        EndpointError: a judge cannot be reached, or answers nothing at all; what was answered is kept.
    """
    _require_judges(oracles)
    asked = read_prompt(PAIRWISE, prompt)
    found = [
        _preferred(oracle, pairs, asked, turn, advance)
        for turn, oracle in zip((False, True), (oracles[0], oracles[-1]), strict=True)
    ]
    return {
        pair.id: PairRatings(
            pair_id=pair.id,
            problem_id=pair.problem_id,
            better="second" if _drawn(pair) else "first",
            sides=(found[0][at], found[1][at]),
        )
        for at, pair in enumerate(pairs)
    }


def of_pair(ratings: PairRatings, *, keep_unjudged: bool) -> Keep | Drop:
    """Filters a pair of which not all judges prefer the side that is meant to be better.

    Args:
        ratings: What the judges answered.
        keep_unjudged: Whether it stays where a judge gave no answer, by what the other says.
    """
    if None in ratings.sides and not keep_unjudged:
        return Drop("unjudged")
    return Keep() if {*ratings.sides} <= {ratings.better, None} else Drop("judge_disagrees")


def pair_agreement(ratings: Sequence[PairRatings], seed: int = 0) -> Agreement:
    """Returns Cohen's kappa of the two answers to each pair.

    Args:
        ratings: Of one pair at least.
        seed: Of the interval.
    """
    first, second = zip(*(each.sides for each in ratings), strict=True)
    return cohen_kappa(first, second, [each.problem_id for each in ratings], seed=seed)


def sample_agreement(ratings: Sequence[SampleRatings], seed: int = 0) -> dict[str, Agreement]:
    """Returns Cohen's kappa of two judges for each of their questions; empty where there is one judge.

    Args:
        ratings: Of one sample at least.
        seed: Of the interval.
    """
    if len(ratings[0].correct) < 2:
        return {}
    asked = {"correct": [each.correct for each in ratings], "consistent": [each.consistent for each in ratings]}
    found = {}
    for name, answers in asked.items():
        first, second = ([_word(each[judge]) for each in answers] for judge in (0, 1))
        found[name] = cohen_kappa(first, second, [each.problem_id for each in ratings], seed=seed)
    return found


def _yes_or_no(
    oracle: Oracle,
    name: str,
    samples: Sequence[Sample],
    problems: Mapping[str, Problem],
    advance: Callable[[], None],
    directory: Path | None,
) -> list[bool | None]:
    prompt = Prompt(name, read_template(name, directory, _FIELDS[name]))
    questions = []
    for sample in samples:
        texts = {"problem": problems[sample.problem_id].statement, "reasoning": sample.reasoning, "code": sample.code}
        shown = {field: text for field, text in texts.items() if field in _FIELDS[name]}
        questions.append(_question(oracle, prompt, sample.id, shown))
    answers = [_chosen(answer) for answer in oracle.answers(questions, (YES, NO), advance)]
    return [None if answer is None else answer == YES for answer in answers]


def _preferred(
    oracle: Oracle, pairs: Sequence[PreferencePair], prompt: Prompt, turn: bool, advance: Callable[[], None]
) -> list[str | None]:
    """Returns the preferred side of each pair; `turn` shows the second side first."""
    questions = []
    for pair in pairs:
        sides = (pair.chosen_reasoning, pair.rejected_reasoning)
        a, b = sides[::-1] if _drawn(pair) != _turned(pair, turn) else sides
        questions.append(_question(oracle, prompt, pair.id, {"problem": pair.problem, "a": a, "b": b}))
    found = [_chosen(answer) for answer in oracle.answers(questions, ("A", "B"), advance)]
    return [_side(answer, _turned(pair, turn)) for answer, pair in zip(found, pairs, strict=True)]


def _question(oracle: Oracle, prompt: Prompt, key: str, texts: Mapping[str, str]) -> Question:
    safe = {name: oracle.safe(encodable(text)) for name, text in texts.items()}
    return Question(key, prompt.filled(safe, {}))


def _chosen(answer: Answer) -> str | None:
    """Returns the likeliest answer; None where there is none, or two are as likely."""
    best = sorted(answer.chances, key=lambda word: -answer.chances[word])[:2]
    if not best or (len(best) > 1 and answer.chances[best[0]] == answer.chances[best[1]]):
        return None
    return best[0]


def _side(answer: str | None, turned: bool) -> str | None:
    if answer is None:
        return None
    return "second" if (answer == "B") != turned else "first"


def _drawn(pair: PreferencePair) -> bool:
    """Returns whether the rejected side is the first one of a pair."""
    return _bits(pair) % 2 == 1


def _turned(pair: PreferencePair, turn: bool) -> bool:
    """Returns whether the second side is shown first."""
    return (_bits(pair) // 2 % 2 == 1) != turn


def _bits(pair: PreferencePair) -> int:
    return hashlib.sha256(f"sides\0{pair.id}".encode("utf-8", "surrogatepass")).digest()[0]


def _common(answers: Sequence[bool | None]) -> bool | None:
    return answers[0] if len({*answers}) == 1 else None


def _word(answer: bool | None) -> str | None:
    return None if answer is None else YES if answer else NO


def _require_judges(oracles: Sequence[Oracle]) -> None:
    if len(oracles) not in (1, 2):
        raise InputError(f"judges: {len(oracles)} are given; name one or two")
