"""What a policy is trained and measured on: read, pinned, and checked before any model is loaded."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lcb_rb.schema import Problem
from recode_models.launch import say
from recode_models.policy.data_prompt import Prompt, read_prompt, require_room
from recode_models.policy.data_sources import Source, gradable, joined, read_source
from recode_models.policy.difficulty import Order, learnable, order, pass_rates
from recode_models.policy.overlaps import not_evaluated, split
from recode_models.policy.recipe import DataRecipe


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the problems."""

    given: int
    """All; those that were dropped, and `train` and `held_out`, add up to it."""
    without_tests: int
    """Dropped."""
    not_gradable: int
    """Dropped: tests of kind answer, or without what the executor needs to run them."""
    in_evaluation: int
    """Dropped: also in `evaluation`."""
    in_window: int
    """Dropped: published in `window`."""
    too_rarely_solved: int
    """Dropped from training by `solved`."""
    too_often_solved: int
    """Dropped from training by `solved`."""
    prompt_too_long: int
    """Dropped by `max_prompt_tokens`."""
    train: int
    """Kept."""
    held_out: int
    """Kept."""
    undated: int
    """Kept although no date tells whether they are in the window; 0 without one."""
    like_training: int
    """Trained on instead of held out, since they are nearly the same as a training problem."""
    rate_unknown: int
    """Training problems without a pass rate; 0 without `verdicts`."""

    def __str__(self) -> str:
        """Returns one line for the person who waits."""
        told = {name.replace("_", " "): count for name, count in asdict(self).items() if count}
        return "problems: " + ", ".join(f"{count} {name}" for name, count in told.items())


@dataclass(frozen=True, slots=True)
class PolicyData:
    """Everything that a run reads."""

    train: list[Problem]
    """Sorted by id."""
    held_out: list[Problem]
    """Likewise; no other run with the same problems holds out others."""
    prompt: Prompt
    """What the policy is asked with."""
    sources: list[Source]
    """As they were read, before anything was dropped."""
    evaluation: list[Source]
    """Likewise."""
    counts: Counts
    """For the record."""
    seed: int
    """Of the order."""
    how: Order = "shuffled"
    """Of the order."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Pass rates by problem id, where known."""

    def ordered(self, epochs: int) -> list[Problem]:
        """Returns the training problems of all epochs in the order of the recipe."""
        return order(self.train, epochs, self.seed, self.how, self.rates)

    def without_long(self, train: list[Problem], held_out: list[Problem]) -> "PolicyData":
        """Returns the data with the problems whose prompts are short enough, the others counted."""
        lost = len(self.train) + len(self.held_out) - len(train) - len(held_out)
        counts = replace(self.counts, prompt_too_long=lost, train=len(train), held_out=len(held_out))
        return replace(self, train=train, held_out=held_out, counts=counts)

    def record(self) -> dict[str, object]:
        """Returns names, revisions, counts and the prompt, as JSON."""
        sources, evaluation = (
            [{"name": source.name, "revision": source.revision, "problems": len(source.problems)} for source in part]
            for part in (self.sources, self.evaluation)
        )
        prompt = {"name": self.prompt.name, "sha256": self.prompt.sha256, "template": self.prompt.template}
        return {"sources": sources, "evaluation": evaluation, "counts": asdict(self.counts), "prompt": prompt}


def read_data(recipe: DataRecipe, seed: int, listing: Path) -> PolicyData:
    """Returns training and held-out problems that can be graded and are not evaluated on.

    Args:
        recipe: Says which.
        seed: Of the order of the training problems.
        listing: File for the problems that are evaluated on too, where they are refused and too many for one line.

    Raises:
        InputError: a problem, verdict or prompt file is wrong, problems are evaluated on too, or none is left.
        HubError: neither the Hub nor the cache has a dataset.
    """
    prompt = read_prompt(recipe.prompt)
    sources = [read_source(name) for name in recipe.problems]
    evaluation = [read_source(name) for name in recipe.evaluation]
    given = joined(sources)
    usable, ungradable = gradable(given)
    require_room(prompt, usable)
    kept, evaluated = not_evaluated(usable, evaluation, recipe, listing)
    pool, held_out, moved = split(kept, recipe.held_out)
    rates = pass_rates(map(Path, recipe.verdicts))
    train, filtered = learnable(pool, rates, recipe)
    counts = Counts(
        given=len(given),
        **ungradable,
        **evaluated,
        **filtered,
        like_training=moved,
        prompt_too_long=0,  # the policy's tokenizer will tell
        train=len(train),
        held_out=len(held_out),
    )
    say(str(counts))
    if counts.undated:
        say(f"{counts.undated} problems have no date: only `data.evaluation` can tell whether they are evaluated on")
    return PolicyData(train, held_out, prompt, sources, evaluation, counts, seed, recipe.order, rates)
