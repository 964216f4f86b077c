"""The shared suite of benign and hostile programs, where it is at hand."""

import gzip
import json

import pytest

from factories import SHARED_DATA, make_problem
from lcb_rb.execution import Limits, grade
from lcb_rb.schema import Verdict

FOLDER = SHARED_DATA.parent / "attacks" if SHARED_DATA else None
OPEN_CONTROLS = {"ok-inplace-mutation/assert": "changed arguments are not sent back"}
HARMLESS = {"early_exit", "forge_result", "eq_override", "monkeypatch", "output_trick"}
"""Categories that the first executor must already stand, and that cannot hurt the machine."""

pytestmark = pytest.mark.skipif(FOLDER is None or not FOLDER.is_dir(), reason="the shared suite is not there")


def cases(name):
    path = FOLDER / name if FOLDER else None
    if path is None or not path.is_file():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def marked(case):
    reason = OPEN_CONTROLS.get(case["id"])
    return pytest.param(case, id=case["id"], marks=[pytest.mark.xfail(strict=True, reason=reason)] if reason else [])


def result(case, limits):
    fields = {"prompt": case.get("prompt") or "", "entry_point": case["entry_point"] or None}
    problem = make_problem(case["id"], tests={"kind": case["kind"], **case["tests"]}, **fields)
    return grade(problem, case["code"], limits)


@pytest.mark.parametrize("case", [marked(case) for case in cases("controls.jsonl.gz")])
def test_a_benign_program_passes(case):
    found = result(case, Limits())
    assert found.verdict is Verdict.ACCEPTED, found


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case["id"])
        for case in cases("attacks.jsonl.gz")
        if case["category"] in HARMLESS and not case.get("danger")
    ],
)
def test_a_harmless_attack_fails_by_its_own_fault(case):
    found = result(case, Limits(cpu_s=1, wall_factor=3))
    assert found.verdict not in (Verdict.ACCEPTED, Verdict.UNGRADED), found
