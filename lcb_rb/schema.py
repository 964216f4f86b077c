"""The records of the project, frozen and checked; the flow is Problem -> Sample -> PreferencePair -> Report."""

import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Record(BaseModel):
    """Base of all records: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Verdict(StrEnum):
    """What grading found; compare with `is`, every member is truthy."""

    ACCEPTED = "ACCEPTED"
    WRONG_ANSWER = "WRONG_ANSWER"
    TIME_LIMIT = "TIME_LIMIT"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    SYNTAX_ERROR = "SYNTAX_ERROR"
    NO_CODE = "NO_CODE"
    UNGRADED = "UNGRADED"
    """The instrument failed; says nothing about the code."""


class Dimension(StrEnum):
    """The three sides of a reasoning's quality (METHOD of the ReCode paper)."""

    FACTUAL_ACCURACY = "factual_accuracy"
    LOGICAL_RIGOR = "logical_rigor"
    LOGICAL_COHERENCE = "logical_coherence"


class PairKind(StrEnum):
    """Where the two reasonings of a pair come from."""

    NATURAL = "natural"
    """Two samples of the same problem, one accepted, one failed."""
    STRONG = "strong"
    """Optimized over degraded variant."""
    OPTIMIZED = "optimized"
    """Optimized variant over the original."""
    DEGRADED = "degraded"
    """Original over degraded variant."""
    SAME_CODE = "same_code"
    """Two accepted samples with the same code (compared as syntax trees); one of the reasonings is refuted."""
    LUCKY = "lucky"
    """Two accepted samples with different code; one of the reasonings is refuted, its code right by luck."""


Direction = Literal["optimized", "degraded"]
"""Whether a rewrite makes a reasoning better or worse."""


Place = Literal["before", "after"]
"""Where a reasoning stands: before the code that it led to, or after it as an explanation."""


class Isolation(StrEnum):
    """How far graded code is shut in, from weak to strong."""

    RLIMITS_ONLY = "rlimits-only"
    NO_NAMESPACES = "no-namespaces"
    FULL = "full"


class StdinTests(Record):
    """A program reads stdin and writes stdout."""

    kind: Literal["stdin"] = "stdin"
    inputs: list[str]
    """Standard input of each test."""
    outputs: list[str]
    """Expected standard output of each test."""

    @model_validator(mode="after")
    def _same_length(self) -> "StdinTests":
        return _check_lengths(self)


Compare = Literal["livecodebench", "evalplus", "exact"]
"""Rule by which a result counts as the expected one (`lcb_rb/execution/worker/compare.py`)."""

Oracle = Literal["", "any", "or-zero", "same-set", "not-none", "surface-area", "digit-distance", "find-zero"]
"""Rule that replaces equality where a problem has more than one right answer; empty for none."""


class CallTests(Record):
    """A function, or a method of `class Solution`, is called with plain values."""

    kind: Literal["call"] = "call"
    fn_name: str
    """Name of the function or method."""
    inputs: list[str]
    """Arguments of each test: one value a line."""
    outputs: list[str] | None
    """Expected result of each test; None when the results of the problem's reference solution are expected."""
    encoding: Literal["json", "wire"] = "json"
    """How values are written: plain JSON, or the JSON that can carry tuples, sets, complex... (`wire.encode`)."""
    compare: Compare = "livecodebench"
    """When a result counts as the expected one."""
    atol: float = Field(default=0.0, ge=0)
    """Absolute tolerance; for compare "evalplus" only."""
    oracle: Oracle = ""
    """Rule in place of equality; for compare "evalplus" only."""

    @model_validator(mode="after")
    def _consistent(self) -> "CallTests":
        if self.compare != "evalplus" and (self.atol or self.oracle):
            raise ValueError(f"atol and oracle have no meaning with compare {self.compare!r}")
        return _check_lengths(self)


class AssertTests(Record):
    """Python source that defines `check(candidate)`, HumanEval's style."""

    kind: Literal["assert"] = "assert"
    check: str
    """Source code of the check."""


class UnittestTests(Record):
    """A unittest module that must share the interpreter with the solution."""

    kind: Literal["unittest"] = "unittest"
    source: str
    """Source code of the test module."""


class AnswerTests(Record):
    """One final answer, for mathematics."""

    kind: Literal["answer"] = "answer"
    answer: str
    """The expected final answer."""


TestSuite = Annotated[StdinTests | CallTests | AssertTests | UnittestTests | AnswerTests, Field(discriminator="kind")]


class Problem(Record):
    """A programming problem."""

    id: str = Field(min_length=1)
    """Unique within its source."""
    source: str
    """Benchmark or set it comes from."""
    statement: str
    """What the model was asked, plain text or markdown."""
    starter_code: str = ""
    """Signature that the solution must complete; empty when there is none."""
    entry_point: str | None = None
    """Function under test, for tests of kind assert."""
    prompt: str = ""
    """Code that precedes the solution when it is run."""
    tests: TestSuite | None = None
    """None when only stored verdicts are known."""
    reference_solution: str | None = None
    """Code that passes the tests."""
    difficulty: str | None = None
    """Usually easy, medium or hard."""
    platform: str | None = None
    """Site or collection that set the problem."""
    date: datetime.date | None = None
    """Day of publication."""

    @model_validator(mode="after")
    def _expected_results_known(self) -> "Problem":
        if isinstance(self.tests, CallTests) and self.tests.outputs is None and self.reference_solution is None:
            raise ValueError("tests without outputs need a reference_solution")
        return self


class Sample(Record):
    """One attempt of one model at one problem."""

    id: str = Field(min_length=1)
    """Unique over all files read together."""
    problem_id: str = Field(min_length=1)
    """Problem it answers."""
    model: str
    """Who wrote it."""
    reasoning: str
    """Text of the reasoning, without the solution."""
    place: Place = "before"
    """Where the completion has it."""
    code: str
    """Extracted solution; empty when the completion held none."""
    completion: str | None = None
    """The raw text, when it was given."""
    passed: bool | None = None
    """Stored grade; None when unknown."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Whatever the file said beyond this."""


class Result(Record):
    """What grading one solution gave."""

    verdict: Verdict
    """The finding."""
    test_index: int | None = None
    """First failing test, from 0."""
    message: str = ""
    """Cause in a few printable words."""
    cpu_s: float = 0.0
    """CPU time of the graded code, seconds."""
    wall_s: float = 0.0
    """Wall time, seconds."""
    peak_mb: float = 0.0
    """Peak resident memory, MiB."""
    limit_s: float | None = None
    """CPU time that one test was allowed, seconds; None when nothing was run."""
    isolation: Isolation
    """Level at which the code ran."""
    method: Literal["isolated", "guarded", "trusted"] = "isolated"
    """How sure the verdict is: isolated = computed outside the process of the solution; guarded = the tests shared its
    interpreter, acceptance by fraud has the probability that the message states; trusted = such tests believed without
    proof."""

    @property
    def passed(self) -> bool | None:
        """True, False, or None when ungraded."""
        return None if self.verdict is Verdict.UNGRADED else self.verdict is Verdict.ACCEPTED


class Edit(Record):
    """One change that a rewriter made to a reasoning."""

    rule: str
    """Name of the rule."""
    dimension: Dimension
    """Side of quality that it damages or improves."""
    start: int
    """Offset in the original reasoning, characters."""
    before: str
    """Original text at that place."""
    after: str
    """Text that replaced it."""


class Variant(Record):
    """A rewritten reasoning."""

    sample_id: str
    """Sample it was made from."""
    reasoning: str
    """The new text."""
    direction: Direction
    """Whether it is meant to be better or worse than the original."""
    dimension: Dimension
    """Side of quality that was changed."""
    edits: tuple[Edit, ...]
    """What was changed, in order of place; offsets are those of the original."""
    rewriter: str = "rules"
    """Who wrote it: `rules`, or a model and the hash of its prompt."""


class PreferencePair(Record):
    """A better and a worse reasoning for one problem."""

    id: str = Field(min_length=1)
    """Unique in its dataset."""
    problem_id: str
    """Problem of both reasonings."""
    problem: str
    """What the reward model reads as the prompt."""
    chosen_reasoning: str
    """The better reasoning."""
    rejected_reasoning: str
    """The worse one."""
    chosen_code: str
    """Code that followed the better reasoning."""
    rejected_code: str
    """Code that followed the worse one."""
    chosen_model: str
    """Author of the better one."""
    rejected_model: str
    """Author of the worse one."""
    kind: PairKind
    """Where the two come from."""
    dimension: Dimension | None = None
    """Side of quality in which they differ; None for natural pairs."""
    difficulty: str | None = None
    """Of the problem."""
    platform: str | None = None
    """Of the problem."""
    date: datetime.date | None = None
    """Of the problem."""
    source: str
    """Of the problem."""
    edits: tuple[Edit, ...] = ()
    """What turns the better reasoning into the worse one; empty where neither was made from the other."""
    place: Place | None = None
    """Where both reasonings stand in their completions; None where that is not known."""
    rewriter: str | None = None
    """Who wrote the variants: `rules`, or a model and the hash of its prompt; None where both sides are samples."""
    chosen_claims_checked: int | None = None
    """Numeric claims of the better reasoning that were compared with results of accepted code; None: none sought."""
    chosen_claims_refuted: int | None = None
    """Those that were wrong."""
    rejected_claims_checked: int | None = None
    """The same of the worse reasoning."""
    rejected_claims_refuted: int | None = None
    """The same of the worse reasoning."""

    def swap(self) -> "PreferencePair":
        """Returns the pair with the two sides exchanged."""
        return self.model_copy(
            update={
                "chosen_reasoning": self.rejected_reasoning,
                "rejected_reasoning": self.chosen_reasoning,
                "chosen_code": self.rejected_code,
                "rejected_code": self.chosen_code,
                "chosen_model": self.rejected_model,
                "rejected_model": self.chosen_model,
                "chosen_claims_checked": self.rejected_claims_checked,
                "chosen_claims_refuted": self.rejected_claims_refuted,
                "rejected_claims_checked": self.chosen_claims_checked,
                "rejected_claims_refuted": self.chosen_claims_refuted,
            }
        )


class PairScore(Record):
    """The two scores that a reward model gave to one pair."""

    id: str
    """Pair."""
    chosen: float | None
    """Score of the better reasoning, any scale; None when scoring failed."""
    rejected: float | None
    """Score of the worse one."""
    problem_id: str | None = None
    """Of the pair; None in reports of lcb-rb before this field."""
    kind: PairKind | None = None
    """Of the pair; None likewise."""
    dimension: Dimension | None = None
    """Of the pair; None likewise, and for natural pairs."""
    truncated: bool = False
    """Whether a side was cut to fit into the model's context."""


class Interval(Record):
    """A confidence interval."""

    low: float
    """Lower end."""
    high: float
    """Upper end."""
    level: float
    """Confidence, for example 0.95."""
    method: str
    """How it was computed."""


class Accuracy(Record):
    """Pairwise accuracy over a set of pairs; ties count half."""

    n: int
    """Pairs, including unscored ones."""
    n_unscored: int
    """Pairs without two finite scores; left out of the accuracies."""
    n_ties: int
    """Pairs with equal scores."""
    n_problems: int
    """Problems of the scored pairs: the clusters of the interval."""
    accuracy: float | None
    """Share of wins plus half the ties; None when nothing was scored."""
    strict_accuracy: float | None
    """Share of wins, ties counted as losses."""
    interval: Interval | None
    """Of `accuracy`; None with fewer than two problems."""


class LengthGroup(Record):
    """Accuracy over the pairs whose two reasonings differ in length by so much."""

    low: float
    """Smallest relative gap: the difference of characters over the characters of the longer reasoning, from 0 to 1."""
    high: float
    """Largest one."""
    accuracy: Accuracy
    """Over these pairs."""


class Correlation(Record):
    """Pearson's correlation over pairs."""

    n: int
    """Pairs with both numbers."""
    n_problems: int
    """Their problems: the clusters of the interval."""
    value: float | None
    """From -1 to 1; None when undefined."""
    interval: Interval | None
    """Of `value`; None with fewer than two problems, or where a resample leaves it undefined."""


class ConfidenceBin(Record):
    """Pairs about which a scorer is equally sure."""

    low: float
    """Smallest confidence of the bin, included."""
    high: float
    """Largest one, included in the last bin only."""
    n: int
    """Scored pairs in it."""
    confidence: float | None
    """Mean chance that the scores give to the side with the higher score; None in an empty bin."""
    accuracy: float | None
    """Share in which that side is the better one, ties counted half."""


class Calibration(Record):
    """Whether sigmoid(chosen - rejected) is the chance that it claims to be: a question to scores that are logits."""

    n: int
    """Scored pairs."""
    n_ties: int
    """Those with equal scores: confidence 0.5, right by half."""
    n_problems: int
    """Problems of the scored pairs: the clusters of the interval."""
    ece: float
    """Expected calibration error, from 0 to 1; too high on average where pairs are few."""
    interval: Interval | None
    """Of `ece`; None with fewer than two problems."""
    bins: list[ConfidenceBin]
    """Of equal width, from 0.5 to 1."""


class PassAtK(Record):
    """Mean over problems of the chance that one of k samples passes."""

    k: int
    """Samples drawn."""
    n_problems: int
    """Problems, each of weight one: the clusters of the interval."""
    n_samples: int
    """Graded samples."""
    n_ungraded: int
    """Samples that our instrument failed on; left out."""
    value: float
    """Mean of the unbiased estimates."""
    interval: Interval | None
    """Of `value`; None with fewer than two problems."""


class ProblemPasses(Record):
    """How many samples of one problem passed, and what follows for k of them."""

    problem_id: str
    """Problem."""
    n: int
    """Graded samples."""
    c: int
    """Those that passed."""
    n_ungraded: int
    """Samples that our instrument failed on; left out."""
    pass_at_k: dict[int, float]
    """Unbiased estimate by k, for every k up to n."""


class Provenance(Record):
    """Everything needed to get the number again."""

    data: str
    """Where the pairs were read."""
    data_revision: str
    """Content hash (sha256) or commit of the data."""
    package_version: str
    """Version of lcb-rb."""
    scorer: str
    """Name or path of the scorer."""
    scorer_revision: str
    """Content hash or commit of the scorer, or its parameters."""
    seed: int
    """Seed of the bootstrap and of random scorers."""
    command: str
    """Command line that made the report."""


class Report(Record):
    """How well one scorer tells the better reasoning from the worse."""

    overall: Accuracy
    """Over all pairs."""
    by_kind: dict[str, Accuracy]
    """Per pair kind."""
    by_difficulty: dict[str, Accuracy]
    """Per difficulty; "unknown" where the problem states none."""
    by_dimension: dict[str, Accuracy]
    """Per dimension, where pairs have one."""
    notes: list[str]
    """What a reader must know, such as a missing chat template."""
    provenance: Provenance
    """Where it comes from."""
    scores: list[PairScore]
    """Per pair, in the order of the data."""
    by_platform: dict[str, Accuracy] = Field(default_factory=dict)
    """Per platform; "unknown" where the problem states none."""
    by_length_gap: list[LengthGroup] = Field(default_factory=list)
    """Four equal groups by the relative difference in length, smallest first; empty below four pairs."""
    length_correlation: Correlation | None = None
    """Of chosen minus rejected score with chosen minus rejected characters."""
    calibration: Calibration | None = None
    """None where nothing was scored, and for baselines, whose scores are no logits."""
    baselines: dict[str, Accuracy] = Field(default_factory=dict)
    """Of content-blind scorers on the same pairs, by name; empty where the scorer is one of them."""
    n_truncated: int = 0
    """Pairs of which a side was cut to fit into the model's context."""


_Paired = TypeVar("_Paired", StdinTests, CallTests)


def _check_lengths(tests: _Paired) -> _Paired:
    if tests.outputs is not None and len(tests.inputs) != len(tests.outputs):
        raise ValueError(f"{len(tests.inputs)} inputs but {len(tests.outputs)} outputs")
    if not tests.inputs:
        raise ValueError("no tests")
    return tests
