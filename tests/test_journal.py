"""Grading many samples: equal work once, and going on after a kill with what the journal holds."""

import multiprocessing
from types import SimpleNamespace

import pytest

from factories import executor, make_problem, make_sample
from lcb_rb.errors import InputError
from lcb_rb.execution import Limits
from lcb_rb.execution.journal import grade_samples, grading_key
from lcb_rb.schema import CallTests, Isolation, StdinTests, UnittestTests, Verdict

PROBLEM = make_problem()
RIGHT = "print(2 * int(input()))\n"


class Counted:
    """The shared executor, noting what it is given."""

    def __init__(self):
        self.given = []
        self.limits, self.level, self.options = executor().limits, executor().level, executor().options

    def grade_as_completed(self, items):
        return executor().grade_as_completed(self._noted(items))

    def _noted(self, items):
        for problem, code in items:
            self.given.append(code)
            yield problem, code


@pytest.fixture
def counted():
    return Counted()


def test_equal_work_is_done_once(tmp_path, counted):
    samples = [make_sample(f"s{i}", code=RIGHT + "\n" * i) for i in range(5)]
    results = grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", counted)
    assert list(results) == ["s0", "s1", "s2", "s3", "s4"]
    assert {found.verdict for found in results.values()} == {Verdict.ACCEPTED}
    assert len(counted.given) == 1


def test_work_found_in_the_journal_is_not_done_again(tmp_path, counted):
    samples = [make_sample("a", code=RIGHT), make_sample("b", code="print(0)")]
    first = grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", counted)
    assert len(counted.given) == 2
    assert grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", counted) == first
    assert len(counted.given) == 2


def test_work_at_other_limits_is_done_again(tmp_path, counted):
    samples = [make_sample("a", code=RIGHT)]
    grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", counted)
    counted.limits = Limits(cpu_s=7)
    grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", counted)
    assert len(counted.given) == 2


def hold(journal, started):
    """Writes a journal for ever."""

    def stuck(items):
        started.set()
        while True:
            yield from ()

    grade_samples([make_sample("a")], {"p1": PROBLEM}, journal, SimpleNamespace(**engine(), grade_as_completed=stuck))


def test_a_journal_has_one_writer(tmp_path, counted):
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    other = context.Process(target=hold, args=(tmp_path / "j", started))
    other.start()
    try:
        assert started.wait(60)
        with pytest.raises(InputError, match="another run is grading into it"):
            grade_samples([make_sample("a")], {"p1": PROBLEM}, tmp_path / "j", counted)
    finally:
        other.kill()
        other.join()
    assert grade_samples([make_sample("a")], {"p1": PROBLEM}, tmp_path / "j", counted)["a"].passed


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-40],
        lambda data: data + b'{"key": "half',
        lambda data: data + b"\xff\xfe\0",
        lambda data: b"no json\n\n[]\n{}\n" + data,
        lambda data: data.replace(b'"verdict":"ACCEPTED"', b'"verdict":"UNGRADED"'),
        lambda data: data.replace(b'"verdict":"ACCEPTED"', b'"verdict":"NEW"'),
        lambda data: b"",
    ],
)
def test_a_damaged_journal_costs_work_but_never_a_result(tmp_path, counted, damage):
    samples = [make_sample("a", code=RIGHT), make_sample("b", code="print(0)")]
    journal = tmp_path / "j"
    first = grade_samples(samples, {"p1": PROBLEM}, journal, counted)
    journal.write_bytes(damage(journal.read_bytes()))
    again = grade_samples(samples, {"p1": PROBLEM}, journal, counted)
    assert [found.verdict for found in again.values()] == [found.verdict for found in first.values()]
    settled = journal.read_bytes()
    assert grade_samples(samples, {"p1": PROBLEM}, journal, counted) == again
    assert journal.read_bytes().strip() == settled.strip()


def test_ungraded_work_is_done_again(tmp_path, counted):
    broken = make_problem(tests=UnittestTests(source="x"))
    for times in (1, 2):
        results = grade_samples([make_sample("a")], {"p1": broken}, tmp_path / "j", counted)
        assert results["a"].verdict is Verdict.UNGRADED
        assert len(counted.given) == times


def test_every_sample_advances_once(tmp_path, counted):
    samples = [make_sample(f"s{i}", code=f"print({i % 3})") for i in range(6)]
    for _ in range(2):
        steps = []
        grade_samples(samples, {"p1": PROBLEM}, tmp_path / "j", counted, advance=lambda: steps.append(1))  # noqa: B023
        assert len(steps) == 6


def test_a_problem_without_tests_leaves_its_samples_ungraded(tmp_path, counted):
    results = grade_samples([make_sample("a")], {"p1": make_problem(tests=None)}, tmp_path / "j", counted)
    assert results["a"].verdict is Verdict.UNGRADED


def engine(**other):
    """What a key says about an engine."""
    options = {"calibrate": False, "adaptive": False, "trust_tests": False}
    return {"limits": Limits(), "level": Isolation.FULL, "options": options, **other}


def key(problem, code, **other):
    return grading_key(problem, code, SimpleNamespace(**engine(**other)))


@pytest.mark.parametrize("code", ["x", "x ", "x\n\n", "x\r\n"])
def test_the_key_is_the_same_for_the_same_work(code):
    other = make_problem("p2", statement="other words", difficulty="hard")
    assert key(PROBLEM, "x") == key(other, code)


@pytest.mark.parametrize(
    ("problem", "code", "other"),
    [
        (PROBLEM, "y", {}),
        (PROBLEM, " x", {}),
        (PROBLEM, "x\xa0", {}),
        (make_problem(tests=None), "x", {}),
        (make_problem(tests=StdinTests(inputs=["1\n", "4\n"], outputs=["2\n", "9\n"])), "x", {}),
        (make_problem(tests=StdinTests(inputs=["1\n"], outputs=["2\n"])), "x", {}),
        (make_problem(tests=CallTests(fn_name="f", inputs=["1\n", "4\n"], outputs=["2\n", "8\n"])), "x", {}),
        (make_problem(prompt="import math"), "x", {}),
        (make_problem(entry_point="f"), "x", {}),
        (make_problem(reference_solution="y"), "x", {}),
        (PROBLEM, "x", {"limits": Limits(cpu_s=7)}),
        (PROBLEM, "x", {"limits": Limits(wall_factor=7)}),
        (PROBLEM, "x", {"limits": Limits(memory_mb=7)}),
        (PROBLEM, "x", {"limits": Limits(output_mb=7)}),
        (PROBLEM, "x", {"level": Isolation.NO_NAMESPACES}),
        (PROBLEM, "x", {"options": {"calibrate": True, "adaptive": False, "trust_tests": False}}),
    ],
)
def test_the_key_changes_with_everything_that_a_verdict_depends_on(problem, code, other):
    assert key(problem, code, **other) != key(PROBLEM, "x")


def test_a_surrogate_in_the_code_has_a_key():
    assert key(PROBLEM, "\ud800") != key(PROBLEM, "\ud801")
