"""What the arms of a seed have in common: a taught policy, its reward model, and both measured before any reward."""

import json
from pathlib import Path
from typing import Any

from lcb_rb.schema import Problem, Record
from lcb_rb.writing import dump_json, write_text
from recode_models.failures import TrainingError
from recode_models.fresh import make_policy
from recode_models.policy import micro
from recode_models.policy.data_prompt import messages_of, read_prompt
from recode_models.policy.demonstration.measuring import Measured, measure
from recode_models.policy.demonstration.tasks import Setting, Task, make_task
from recode_models.policy.recipe import MICRO, WarmStart
from recode_models.policy.warm_start import demonstrations, warm_start

POLICY: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
VOCABULARY = 400


class Settings(Record):
    """What decides how long everything takes."""

    steps: int = 60
    """Of GRPO, 64 completions each."""
    samples: int = 1200
    """Demonstrations."""
    epochs: int = 50
    """Over them."""
    least_pass_given_work: float = 0.4
    """Below which the warm start has missed its phase: arithmetic comes late, and at once."""


class Base(Record):
    """A taught policy."""

    setting: Setting
    seed: int
    settings: Settings
    """What it was made with."""
    loss: float
    """Of the last epoch."""
    measured: Measured
    """Before any reward."""
    reward_model: dict[str, Any]
    """Its accuracy on held-out pairs, calibration and style probe."""


def directory_of(out: Path, setting: Setting, seed: int) -> Path:
    """Returns where a base lies: `policy/`, `reward/model/`, `problems.jsonl`, `base.json`."""
    return out / "bases" / f"{setting.replace(' ', '-')}-{seed}"


def prepare(out: Path, setting: Setting, seed: int, settings: Settings) -> Base:
    """Returns the base of a seed, made unless that is done.

    Raises:
        TrainingError: the policy did not learn to calculate.
    """
    directory = directory_of(out, setting, seed)
    done = directory / "base.json"
    if done.is_file():
        known = Base.model_validate(json.loads(done.read_text(encoding="utf-8")))
        if known.settings == settings.model_copy(update={"steps": known.settings.steps}):
            return known
    task = make_task(setting, seed, settings.samples)
    write_problems(directory / "problems.jsonl", task.trained)
    reward_model = micro.reward_model(directory / "reward", seed, task.pairs)
    loss = _teach(directory / "policy", task, seed, settings)
    found = measure(directory / "policy", task, reward_model, seed)
    refuse_untaught(found, settings, f"{setting}, seed {seed}")
    base = Base(
        setting=setting,
        seed=seed,
        settings=settings,
        loss=loss,
        measured=found,
        reward_model=_told(reward_model),
    )
    write_text(done, dump_json(base.model_dump(mode="json")) + "\n")
    return base


def refuse_untaught(found: Measured, settings: Settings, name: str) -> None:
    """Refuses a policy whose real work is not right often enough: nothing about rewards follows from it.

    Raises:
        TrainingError: it is such a policy.
    """
    least = settings.least_pass_given_work
    if not least:
        return
    rate = found.ways.pass_work if found.ways else 0.0
    if rate <= least:
        raise TrainingError(
            f"{name}: after the warm start {rate:.3f} of the completions with real work pass, not more than {least}; "
            f"the policy has not learned to calculate, so give it more samples or epochs, or take another seed"
        )


def write_problems(path: Path, problems: list[Problem]) -> None:
    """Writes problems as the project's JSON Lines."""
    write_text(
        path, "".join(dump_json(problem.model_dump(mode="json", exclude_none=True)) + "\n" for problem in problems)
    )


def _teach(directory: Path, task: Task, seed: int, settings: Settings) -> float:
    template = read_prompt(Path(MICRO)).template
    given = demonstrations(
        task.samples, {problem.id: problem for problem in task.taught}, lambda problem: messages_of(problem, template)
    )
    texts = [text for asked, completion in given for text in (asked[0]["content"], completion)]
    model, tokenizer = make_policy(POLICY, texts, VOCABULARY, task.whole, seed)
    recipe = WarmStart(samples=MICRO, epochs=settings.epochs, learning_rate=4e-3, batch_size=32)
    loss = warm_start(model, tokenizer, given, recipe, seed)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return loss


def _told(reward_model: Path) -> dict[str, Any]:
    record = json.loads((reward_model / "recode.json").read_text(encoding="utf-8"))
    return {name: record[name] for name in ("validation", "calibration", "style_probe")}
