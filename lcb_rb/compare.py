"""`recode compare`: two reports on the same pairs, pair by pair."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from lcb_rb import __version__
from lcb_rb.errors import InputError, input_error
from lcb_rb.metrics import PairedAccuracy, pair_points, paired_accuracy
from lcb_rb.schema import PairScore, Provenance, Record, Report

SCORE_AGAIN = "write it anew with `recode score --out`"

MCNEMAR_NOTE = (
    "McNemar's p: a tie is no win, pairs of one problem count as independent, rows are not corrected for many"
)


class Comparison(Record):
    """Two reports on the same pairs."""

    overall: PairedAccuracy
    """Over all pairs."""
    by_kind: dict[str, PairedAccuracy]
    """Per pair kind."""
    by_dimension: dict[str, PairedAccuracy]
    """Per dimension, where pairs have one."""
    notes: list[str]
    """What a reader must know."""
    seed: int
    """Of the bootstrap."""
    package_version: str
    """Version of lcb-rb that compared."""
    command: str
    """Command line that made the comparison."""
    provenance_a: Provenance
    """Where report A comes from."""
    provenance_b: Provenance
    """Where report B comes from."""


def compare_reports(first: Path, second: Path, *, seed: int = 0, command: str = "") -> Comparison:
    """Returns the comparison of the reports in two files; errors as `read_report` and `compare`."""
    return compare(read_report(first), read_report(second), names=(str(first), str(second)), seed=seed, command=command)


def read_report(path: Path) -> Report:
    """Returns the report that `recode score --out` wrote.

    Raises:
        InputError: the file cannot be read or is no report.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise input_error(path, "does not exist", "check the path") from error
    except OSError as error:
        raise input_error(path, f"cannot be read ({error.strerror})", SCORE_AGAIN) from error
    except ValidationError as error:
        raise input_error(path, "is no report of `recode score`", SCORE_AGAIN) from error


def compare(
    a: Report, b: Report, *, names: tuple[str, str] = ("A", "B"), seed: int = 0, command: str = ""
) -> Comparison:
    """Returns how report A differs from report B, over all pairs and per kind and dimension.

    Args:
        a: The one report.
        b: The other, on the same pairs in any order.
        names: Of the reports, for errors.
        seed: Of the bootstrap.
        command: What was called.

    Raises:
        InputError: the reports are about different pairs, or do not say which problem a pair belongs to.
    """
    own, other = _by_id(names[0], a), _by_id(names[1], b)
    _refuse_other_pairs(names, own, other)

    def by(group: Callable[[PairScore], str | None]) -> dict[str, PairedAccuracy]:
        members: dict[str, list[str]] = defaultdict(list)
        for pair_id, score in own.items():
            name = group(score)
            if name is not None:
                members[name].append(pair_id)
        return {name: paired(members[name]) for name in sorted(members)}

    def paired(ids: list[str]) -> PairedAccuracy:
        points_a, points_b = (
            [pair_points(scores[i].chosen, scores[i].rejected) for i in ids] for scores in (own, other)
        )
        return paired_accuracy(points_a, points_b, [str(own[i].problem_id) for i in ids], seed=seed)

    return Comparison(
        overall=paired(list(own)),
        by_kind=by(lambda score: score.kind.value if score.kind else None),
        by_dimension=by(lambda score: score.dimension.value if score.dimension else None),
        notes=_notes(a, b),
        seed=seed,
        package_version=__version__,
        command=command,
        provenance_a=a.provenance,
        provenance_b=b.provenance,
    )


def _by_id(name: str, report: Report) -> dict[str, PairScore]:
    """Returns the scores in the order of their ids, so that the order of the data does not matter."""
    scores = {score.id: score for score in sorted(report.scores, key=lambda score: score.id)}
    if not scores:
        raise InputError(f"{name}: holds no scores of pairs; {SCORE_AGAIN}")
    if len(scores) < len(report.scores):
        raise InputError(f"{name}: {len(report.scores) - len(scores)} ids of pairs come twice; {SCORE_AGAIN}")
    for pair_id, score in scores.items():
        if score.problem_id is None:
            raise InputError(f"{name}: pair {pair_id!r} names no problem: an older report; {SCORE_AGAIN}")
    return scores


def _refuse_other_pairs(names: tuple[str, str], a: Mapping[str, PairScore], b: Mapping[str, PairScore]) -> None:
    if apart := sorted(a.keys() ^ b.keys()):
        raise InputError(
            f"{names[0]} and {names[1]} are about different pairs: {len(apart)} are in one only, such as {apart[0]!r}; "
            "score both on the same data"
        )
    for pair_id, score in a.items():
        if _place(score) != _place(b[pair_id]):
            raise InputError(
                f"{names[0]} and {names[1]} are about different pairs named {pair_id!r}: problem, kind or dimension "
                "differ; score both on the same data"
            )


def _place(score: PairScore) -> tuple[str | None, ...]:
    return score.problem_id, score.kind, score.dimension


def _notes(a: Report, b: Report) -> list[str]:
    notes = [MCNEMAR_NOTE, *(f"{side}: {note}" for side, report in (("A", a), ("B", b)) for note in report.notes)]
    if a.provenance.data_revision != b.provenance.data_revision:
        notes.append("the data have different revisions with the same ids of pairs; their texts may differ")
    return notes
