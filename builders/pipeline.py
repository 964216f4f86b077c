"""What both builds share: from files to candidates, to a choice that the audit lets pass, and to parquet."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from builders import balance
from builders.audit.audit import Audit, examine, require_known, require_passed
from builders.audit.features import Looks
from builders.balance import Kept
from builders.candidates import Candidates, Given, Made, Unit, collect
from builders.dataset import Facts, SplitWriter, joined
from builders.decontamination import Offender, offenders
from builders.filters import Selection, nothing_left
from builders.inputs import Grader, Inputs
from builders.mapping import open_mapper
from builders.recipe import BuildRecipe
from builders.shards import Material, Shards, deal
from lcb_rb.inference.cache import Cache
from lcb_rb.inference.spending import Spent
from lcb_rb.progress import bar, say
from lcb_rb.schema import PreferencePair
from lcb_rb.sources import read_problems

WORK = "work.journal"
"""Directory of the stage that outlives a kill."""


@dataclass(frozen=True, slots=True)
class Run:
    """A build under way."""

    inputs: Inputs
    """What it is made from; its selection leaves out what is held out."""
    recipe: BuildRecipe
    """What decides it beside the files."""
    work: Path
    """Directory of unfinished work."""
    stage: Path
    """Directory of the dataset."""
    shards: Shards
    """The samples."""
    grader: Grader
    """What runs code."""
    offenders: list[Offender]
    """Problems that are in files of --exclude-problems, or nearly."""
    replies: Cache
    """What language models answered, in this build and others."""
    spent: Spent
    """What their answers cost."""

    @property
    def ratings(self) -> Path:
        """Directory of what judges said."""
        return self.work / "ratings"

    def collect(
        self,
        name: str,
        prepare: Callable[[str, Material], Given],
        function: Callable[[Given], Made],
        finish: Callable[[str, Made], Made] = lambda unit, made: made,
    ) -> Candidates:
        """Returns the candidates.

        Args:
            name: Of the command.
            prepare: Makes a unit's work of its name, its samples and their grades, in this process.
            function: Makes its pairs, on the engine.
            finish: Changes what was made of a unit, in this process.

        Raises:
            InputError: there are none.
            GradingError: not one sample could be graded.
        """
        units = self.shards.units
        total = sum(self.shards.index.counts.values())
        with open_mapper(self.inputs.engine, len(units)) as mapper, bar("building", total) as advance:
            found = collect(
                units,
                self.work,
                self._key(name),
                lambda unit, called: prepare(called, self._graded(unit, advance)),
                function,
                mapper,
                finish,
            )
            self.grader.require_one_graded()
            if not len(found):
                raise nothing_left(found.drops)
        return found

    def choose(self, candidates: Candidates) -> "Choice":
        """Returns which candidates become pairs, and what the audit says before and after.

        Raises:
            AuditError: a predictor tells the sides of the chosen ones apart, and the recipe does not allow it.
        """
        seed, look = self.recipe.seed, Looks(balance.BLOCK)
        before = examine(candidates.merged(), seed=seed, brief=True, look=look)
        if not self.recipe.balance:
            choice = Choice(balance.everything(candidates), before, examine(candidates.merged(), seed=seed, look=look))
        else:
            kept = balance.balanced(candidates, lambda some: self._passes(candidates, some, look))
            choice = Choice(kept, before, examine(candidates.merged(kept), seed=seed, look=look))
            say(f"balanced: {balance.describe(kept)}; {told(before, choice.after)}")
        require_passed(choice.after, self.recipe.audit.allow, self.recipe.audit.limit)
        return choice

    def _passes(self, candidates: Candidates, kept: Kept, look: Looks) -> bool:
        if not any(mask.any() for mask in kept.values()):
            return False
        found = examine(candidates.merged(kept), seed=self.recipe.seed, brief=True, look=look)
        return not found.failing(self.recipe.audit.allow, self.recipe.audit.limit)

    def problems_of(self, candidates: Candidates, choice: "Choice") -> set[str]:
        """Returns the problems of the chosen pairs."""
        return {pair.problem_id for pair in candidates.merged(choice.kept)}

    def write(
        self, candidates: Candidates, choice: "Choice", split_of: Callable[[PreferencePair], str]
    ) -> dict[str, Facts]:
        """Writes the chosen pairs as parquet and returns what is in each split."""
        writers: dict[str, SplitWriter] = {}
        for pair in candidates.merged(choice.kept):
            split = split_of(pair)
            if split not in writers:
                writers[split] = SplitWriter(self.stage, split, candidates.columns)
            writers[split].add(pair)
        for writer in writers.values():
            writer.close()
        return {split: writers[split].facts for split in sorted(writers)}

    def _graded(self, unit: Unit, advance: Callable[[], None]) -> Material:
        material = self.shards.load(unit)
        journal = self.work / f"grades-{unit[0]:03}.journal"
        return replace(material, results=self.grader.grade(material, journal, advance))

    def _key(self, name: str) -> list[object]:
        selection = self.inputs.selection
        limits = self.inputs.limits.as_dict()
        excluded = sorted(selection.excluded)
        chosen = [selection.min_reasoning_chars, str(selection.window), excluded]
        return [name, self.shards.directory.name, chosen, self.recipe.model_dump(mode="json"), limits]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which candidates become pairs."""

    kept: Kept
    """By unit."""
    before: Audit
    """Of all candidates."""
    after: Audit
    """Of the chosen ones."""

    @property
    def dropped(self) -> int:
        """Candidates that are left out."""
        return sum(int((~mask).sum()) for mask in self.kept.values())


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made."""

    splits: Mapping[str, Facts]
    """What is known of the pairs of each split."""
    tally: Counter[str]
    """What was counted: samples, and where their grades come from."""
    drops: Counter[str]
    """What is in no pair, by reason."""
    choice: Choice
    """What the audit says."""
    columns: pa.Schema
    """Of the pairs."""
    spent: Spent
    """What answers of language models cost."""

    @property
    def facts(self) -> Facts:
        """Of all splits."""
        return joined(self.splits.values())


def start(inputs: Inputs, recipe: BuildRecipe, stage: Path, grader: Grader) -> Run:
    """Returns a build whose samples lie in shards, and whose selection leaves out what is held out.

    Raises:
        InputError: a file is wrong.
    """
    require_known(recipe.audit.allow)
    work = stage / WORK
    work.mkdir(exist_ok=True)
    shards = deal(inputs.samples, inputs.problems, inputs.verdicts, work)
    found = _held_out(inputs, shards)
    selection: Selection = replace(
        inputs.selection, excluded=inputs.selection.excluded | {offender.problem_id for offender in found}
    )
    return Run(
        replace(inputs, selection=selection), recipe, work, stage, shards, grader, found, Cache(inputs.cache), Spent()
    )


def told(before: Audit, after: Audit) -> str:
    """Returns the accuracies of both audits in one line."""
    return ", ".join(_told(before, after))


def _told(before: Audit, after: Audit) -> Iterator[str]:
    first = {row.predictor: row.result.accuracy for row in before.rows}
    for row in after.rows:
        yield f"{row.predictor} {_number(first.get(row.predictor))} -> {_number(row.result.accuracy)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _held_out(inputs: Inputs, shards: Shards) -> list[Offender]:
    if not inputs.excluded_files:
        return []
    held_out = [(path.name, read_problems([path])) for path in inputs.excluded_files]
    return offenders({problem.id: problem for problem in shards.problems()}, held_out)
