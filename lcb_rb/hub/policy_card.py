"""What the card of a policy says: pass@1 before and after, what was rewarded, on which problems, and what rang."""

from collections.abc import Collection, Sequence
from pathlib import Path
from textwrap import indent

from lcb_rb.hub.model_records import (
    Measurement,
    Part,
    PolicyRecord,
    Process,
    Prompt,
    base_text,
    is_commit,
    revision_text,
)
from lcb_rb.hub.model_results import accuracy_table, interval_text, number_text, report_rows
from lcb_rb.schema import Isolation, Report
from lcb_rb.templates import fill

CURVES = "curves.png"
"""File that `recode train policy` draws."""

ALARMS = {
    "hack": "the process score rose while the pass rate fell",
    "length": "the mean length of completions drifted",
    "repeated": "completions repeated themselves",
}
"""What rings while a policy is trained."""

TRLS_LENGTH = 512
"""Tokens of a completion, where the recipe does not say."""

GATES = {
    "strict": "counts where all tests pass",
    "soft": "counts by the share of passed tests",
    "none": "always counts",
}

LAYERS = {
    Isolation.FULL: "namespaces, Landlock, seccomp, limits of resources",
    Isolation.NO_NAMESPACES: "Landlock, seccomp, limits of resources",
    Isolation.RLIMITS_ONLY: "limits of resources only: weak",
}

NO_BENCHMARK = (
    "pass@1: the mean over problems of the share of completions that pass all tests, sampled at temperature "
    "{temperature}, up to {max_tokens} tokens; intervals are clustered by problem. Process score: the mean of the "
    "reasonings. Nothing was learned from these problems, but they come from the training's own sources, and where a "
    "step before the last is kept, they chose it, which makes its row somewhat too good. This is no benchmark."
)


def policy_part(repo_id: str, record: PolicyRecord, reports: Sequence[Report], files: Collection[str]) -> Part:
    """Returns what the card says of a policy.

    Args:
        repo_id: Where it will be published.
        record: Of its training.
        reports: Of its scores on pairs, where it was scored as a reward model too.
        files: Names of what is published with it.
    """
    training = record.asked.training
    sampling = {
        "max_tokens": str(training.max_completion_length or TRLS_LENGTH),
        "temperature": str(training.temperature),  # transformers takes no integer
    }
    measured = record.before is not None or record.after is not None
    pairs = f"\n\n{accuracy_table(report_rows(reports))}" if reports else ""
    fields = {
        "repo_id": repo_id,
        "version": record.package_version,
        "method": _method(record),
        "prompt": _prompt(record.data.prompt, record.package_version),
        **sampling,
        "results": (_passes(record) if measured else "No problem was held out: nothing was measured.") + pairs,
        "told": NO_BENCHMARK.format(**sampling) if measured else "",
        "alarms": _alarms(record),
        "curves": f"![Pass rate, process score, groups and length, by step]({CURVES})\n\n" if CURVES in files else "",
        "base": base_text(record) + _warm(record),
        "steps": f"{record.steps} optimiser steps, of which step {record.kept_step} is kept",
        "reward": _reward(record),
        "process": _process(record.process),
        "isolation": record.isolation.value,
        "layers": LAYERS[record.isolation],
        "problems": _problems(record),
        "counts": _counts(record),
    }
    body = fill((Path(__file__).parent / "policy_card.md").read_text(encoding="utf-8"), fields)
    tags = ["recode", *(["cg-grpo"] if _is_gated(record) else []), "grpo", "code", "reasoning", "trl"]
    on_hub = [source.name for source in record.data.sources if is_commit(source.revision)]
    return Part(body, "text-generation", tags, on_hub)


def _is_gated(record: PolicyRecord) -> bool:
    return record.process is not None and record.asked.gate != "none"


def _method(record: PolicyRecord) -> str:
    if record.process is None:
        return "GRPO, without a process reward,"
    if not _is_gated(record):
        return "GRPO and a process reward without a gate"
    return "CG-GRPO"


def _prompt(prompt: Prompt, version: str) -> str:
    named = f"`{prompt.name}` of lcb-rb {version}, sha256 `{prompt.sha256[:16]}`"
    if prompt.template is None:
        return f"It was asked with one message of the user: the problem in the prompt {named}."
    filled = "`{{statement}}` is the problem; `{{task}}`, what to write, and `{{starter_code}}` come with it"
    return f"The prompt ({named}; {filled}):\n\n{indent(prompt.template.strip(), ' ' * 4)}"


def _passes(record: PolicyRecord) -> str:
    head = "| policy | pass@1 | 95 % interval | held-out problems | completions | ungraded | process score | tokens |"
    lines = [head, "|---|" + "--:|" * 7]
    after = f"after, step {record.kept_step}"
    lines += [_pass_row(name, one) for name, one in (("before", record.before), (after, record.after)) if one]
    return "\n".join(lines)


def _pass_row(name: str, one: Measurement) -> str:
    found = one.pass_rate
    cells = (
        name,
        number_text(found.value),
        interval_text(found.interval),
        found.n_problems,
        found.n_samples,
        found.n_ungraded,
        number_text(one.process),
        f"{one.length:.0f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _alarms(record: PolicyRecord) -> str:
    watched = dict(ALARMS) if record.process else {name: ALARMS[name] for name in ("length", "repeated")}
    rang = [name.removeprefix("alarm/") for name in record.alarms]
    if not rang:
        return f"None rang. Watched: {', '.join(watched.values())}; limits in the recipe, `alarm`."
    return "These rang:\n\n" + "\n".join(f"- `{name}`: {ALARMS.get(name, 'see metrics.jsonl')}" for name in rang)


def _warm(record: PolicyRecord) -> str:
    warm = record.asked.warm_start
    return f", taught by supervised steps on the samples `{warm.samples}`" if warm else ""


def _reward(record: PolicyRecord) -> str:
    asked = record.asked
    told = f"{asked.format_weight:g} for the format, 1 where all tests pass"
    if record.process:
        told += f", {asked.process_weight:g} times the process reward, which {GATES[asked.gate]} (`gate: {asked.gate}`)"
    return f"{told}; advantages: `{asked.mode}`."


def _process(process: Process | None) -> str:
    if process is None:
        return "none."
    return "; ".join([f"`{process.name}` at {revision_text(process.revision)}", *process.notes]) + "."


def _problems(record: PolicyRecord) -> str:
    parts = [("trained on, and held out", record.data.sources), ("not trained on", record.data.evaluation)]
    lines = ["| problems | revision | n | use |", "|---|---|--:|---|"]
    lines += [
        f"| {source.name} | {revision_text(source.revision)} | {source.problems} | {use} |"
        for use, sources in parts
        for source in sources
    ]
    return "\n".join(lines)


def _counts(record: PolicyRecord) -> str:
    told = [f"{count} {name.replace('_', ' ')}" for name, count in record.data.counts.items() if count]
    days = record.asked.data.window
    return f"Counts: {', '.join(told)}." + (f" Days of problems that were left out: `{days}`." if days else "")
