"""The card of a model and its results, from the record of its training and the reports of its scores."""

from collections.abc import Collection, Sequence
from pathlib import Path

import yaml
from huggingface_hub import ModelCardData, eval_result_entries_to_yaml

from lcb_rb import __version__
from lcb_rb.cards import CARD
from lcb_rb.hub.files import Files
from lcb_rb.hub.model_records import (
    RECORD,
    Part,
    PolicyRecord,
    RewardRecord,
    TrainingRecord,
    placeless,
    read_fields,
    record_of,
)
from lcb_rb.hub.model_results import benchmark_entry, benchmark_of, model_index, own_report
from lcb_rb.hub.policy_card import policy_part
from lcb_rb.hub.reward_card import reward_part
from lcb_rb.schema import Report
from lcb_rb.templates import fill
from lcb_rb.writing import dump_json

REPORTS = "reports"
"""Folder of what `recode score --out` wrote of it."""

RESULTS = ".eval_results/lcb-rb.yaml"
"""Where the Hub looks for a model's results on benchmarks."""


def model_files(directory: Path, files: Files, repo_id: str, made: Path) -> Files:
    """Returns the card, the results, the record and the reports of a model, as files in `made`.

    A card of its own is left as it is; record and reports lose the local paths of whoever made them.

    Args:
        directory: Of the model, as `recode train` leaves it.
        files: What is in it.
        repo_id: Where it will be published.
        made: Directory for what is made.

    Raises:
        InputError: the record or a report cannot be read, or a report is of another model.
    """
    paths = [name for name in files if name.startswith(f"{REPORTS}/") and name.endswith(".json")]
    reports = {name: own_report(files[name], directory, repo_id) for name in paths}
    texts = {name: report.model_dump_json(indent=1) + "\n" for name, report in reports.items()}
    if RECORD in files:
        given = read_fields(files[RECORD])
        shown = placeless(given)
        if shown != given:
            texts[RECORD] = dump_json(shown) + "\n"
        if CARD not in files:
            record = record_of(shown, files[RECORD])
            texts[CARD] = render_card(repo_id, record, list(reports.values()), files)
    entries = [benchmark_entry(report, repo_id) for report in reports.values() if benchmark_of(report)]
    if entries and RESULTS not in files:
        texts[RESULTS] = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False)
    for name, text in texts.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text, encoding="utf-8")
    return {name: made / name for name in texts}


def render_card(
    repo_id: str, record: RewardRecord | PolicyRecord, reports: Sequence[Report], files: Collection[str] = ()
) -> str:
    """Returns the card: data, recipe, versions and results of a model.

    Args:
        repo_id: Where it will be published.
        record: Of its training.
        reports: Of its scores.
        files: Names of what is published with it.
    """
    if isinstance(record, PolicyRecord):
        part = policy_part(repo_id, record, reports, files)
    else:
        part = reward_part(repo_id, record, reports, files)
    fields = {
        "metadata": _metadata(repo_id, record, part, reports),
        "name": repo_id.partition("/")[2],
        "body": part.body.strip(),
        "versions": ", ".join(f"{name} {version}" for name, version in record.versions.items()) or "not recorded",
        "recipe": yaml.safe_dump(record.recipe, sort_keys=False).strip(),
        "publisher": __version__,
    }
    return fill((Path(__file__).parent / "model_card.md").read_text(encoding="utf-8"), fields)


def _metadata(repo_id: str, record: TrainingRecord, part: Part, reports: Sequence[Report]) -> str:
    measured = [report for report in reports if benchmark_of(report)]
    data = ModelCardData(
        model_name=repo_id.partition("/")[2],
        license="other" if record.base else "apache-2.0",
        license_name="as-base-model" if record.base else None,
        base_model=record.base_on_hub,
        library_name="transformers",
        pipeline_tag=part.pipeline_tag,
        language="en",
        tags=part.tags,
        datasets=sorted({*part.datasets, *(str(benchmark_of(report)) for report in measured)}) or None,
        eval_results=[model_index(report) for report in measured] or None,
    )
    return str(data.to_yaml()).strip()
