"""The executor as its callers see it: order, back-pressure, threads, asyncio, equal work once, limits, sleepers."""

import asyncio
import contextlib
import itertools
import json
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from factories import executor, make_problem
from lcb_rb.execution import Executor, Limits, grade_many
from lcb_rb.execution.executor import AHEAD, normalised
from lcb_rb.schema import AssertTests, CallTests, StdinTests, Verdict

CHECK = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(4) == 8\n"
DOUBLE = make_problem(tests=CallTests(fn_name="double", inputs=["1", "4"], outputs=["2", "8"]))
RIGHT, WRONG = "def double(n): return 2 * n", "def double(n): return n * n"
LOOP = "def double(n):\n    while True: pass"
ASLEEP = "import time\ndef double(n):\n    time.sleep({})\n    return 2 * n"
BUSY = """from time import process_time as now
def double(n):
    end = now() + {}
    while now() < end: pass
    return 2 * n"""
QUICK = Limits(cpu_s=0.3)


@pytest.fixture(scope="module")
def pool():
    with Executor(2) as made:
        yield made


def distinct(code, number):
    """The same program as another text."""
    return f"{code}\n# {number}"


# ---- order and back-pressure


def mixed(count):
    """Items of which every third takes long, every second is right."""
    for number in range(count):
        wait = "import time; time.sleep(0.3)\n" if number % 3 == 0 else ""
        tests = StdinTests(inputs=["x"], outputs=[f"{number}"])
        yield make_problem(tests=tests), f"{wait}print({number if number % 2 else -1})"


def test_results_come_in_the_order_of_the_items(pool):
    verdicts = [found.verdict for found in pool.grade_many(mixed(10))]
    assert verdicts == [Verdict.WRONG_ANSWER, Verdict.ACCEPTED] * 5


def test_as_completed_each_result_comes_once_with_its_number(pool):
    found = dict(pool.grade_as_completed(mixed(10)))
    assert sorted(found) == list(range(10))
    assert [found[number].passed for number in range(10)] == [False, True] * 5


def test_as_completed_the_quick_one_does_not_wait_for_the_slow(pool):
    codes = [ASLEEP.format(0.5), *[distinct(RIGHT, number) for number in range(3)]]
    numbers = [number for number, _ in pool.grade_as_completed((DOUBLE, code) for code in codes)]
    assert numbers[-1] == 0


@pytest.mark.parametrize("many", ["grade_many", "grade_as_completed"])
@pytest.mark.parametrize("code", [lambda number: distinct(RIGHT, number), lambda number: RIGHT], ids=["new", "equal"])
def test_few_items_are_taken_ahead_of_an_endless_iterator(pool, many, code):
    last = -1

    def items():
        nonlocal last
        for last in itertools.count():
            assert last < 1000, "the items are taken without end"
            yield DOUBLE, code(last)

    results = getattr(pool, many)(items())
    for done in range(20):
        next(results)
        assert last < done + AHEAD * pool.workers
    results.close()


def test_no_items_give_no_results(pool):
    assert list(pool.grade_many([])) == list(pool.grade_as_completed([])) == list(grade_many([])) == []


@pytest.mark.parametrize("many", ["grade_many", "grade_as_completed"])
def test_an_error_of_the_items_is_not_swallowed(pool, many):
    def items():
        yield DOUBLE, RIGHT
        raise RuntimeError("broken source")

    with pytest.raises(RuntimeError, match="broken source"):
        list(getattr(pool, many)(items()))


@pytest.mark.parametrize("ordered", [True, False])
def test_without_an_executor_a_batch_has_one_of_its_own(ordered):
    settled = {}
    codes = [RIGHT, WRONG, "", "def double(n:"]
    results = list(grade_many([(DOUBLE, code) for code in codes], 2, ordered=ordered, settled=settled.__setitem__))
    verdicts = [Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.NO_CODE, Verdict.SYNTAX_ERROR]
    assert [settled[number].verdict for number in range(4)] == verdicts
    assert sorted(found.verdict for found in results) == sorted(verdicts)


# ---- callers of every kind


def test_several_threads_use_one_executor(pool):
    def caller(number):
        codes = [distinct(RIGHT if turn % 2 else WRONG, f"{number} {turn}") for turn in range(6)]
        return [found.passed for found in pool.grade_many((DOUBLE, code) for code in codes)]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(caller, range(8))) == [[False, True] * 3] * 8


def test_awaited_results_do_not_hold_up_the_event_loop(pool):
    async def main():
        gaps, last, done = [], time.monotonic(), asyncio.Event()

        async def tick():
            nonlocal last
            while not done.is_set():
                await asyncio.sleep(0.005)
                gaps.append(time.monotonic() - last)
                last = time.monotonic()

        ticking = asyncio.create_task(tick())
        codes = [distinct(ASLEEP.format(0.15), number) if number % 2 else WRONG for number in range(6)]
        results = await asyncio.gather(*(pool.grade_async(DOUBLE, code) for code in codes))
        done.set()
        await ticking
        return [found.passed for found in results], len(gaps)

    passed, ticks = asyncio.run(main())
    assert passed == [False, True] * 3
    assert ticks > 10


def test_an_executor_is_made_and_used_inside_a_running_loop_as_in_a_notebook():
    async def cell():
        with Executor(1) as made:
            found = made.grade(DOUBLE, RIGHT)
            listed = list(made.grade_many([(DOUBLE, WRONG)]))
            awaited = await made.grade_async(DOUBLE, LOOP, QUICK)
        return [found.verdict, listed[0].verdict, awaited.verdict]

    assert asyncio.run(cell()) == [Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.TIME_LIMIT]


def test_an_executor_is_made_in_a_process_of_many_threads():
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(60)]
    for thread in threads:
        thread.start()
    try:
        with Executor(2) as made:
            assert made.grade(DOUBLE, RIGHT).passed
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_what_one_caller_gives_up_another_still_gets():
    with Executor(1, yield_sleepers=False) as made:
        made.submit(DOUBLE, BUSY.format(0.3))
        shared = distinct(WRONG, "shared")
        results = made.grade_many((DOUBLE, code) for code in ["", shared, distinct(shared, 1), distinct(shared, 2)])
        assert next(results).verdict is Verdict.NO_CODE
        others = made.submit(DOUBLE, shared)
        results.close()
        assert others.result().verdict is Verdict.WRONG_ANSWER


def test_a_cancelled_task_does_not_cancel_the_work_of_another(pool):
    async def main():
        blockers = [asyncio.create_task(pool.grade_async(DOUBLE, distinct(BUSY.format(0.2), n))) for n in range(9)]
        one = asyncio.create_task(pool.grade_async(DOUBLE, distinct(RIGHT, "shared")))
        other = asyncio.create_task(pool.grade_async(DOUBLE, distinct(RIGHT, "shared")))
        await asyncio.sleep(0)
        one.cancel()
        return await other, await asyncio.gather(*blockers)

    assert asyncio.run(main())[0].passed


# ---- closing


def test_closing_ends_what_runs_and_leaves_nobody_waiting():
    made = Executor(2)
    futures = [made.submit(DOUBLE, distinct(LOOP, number), Limits(cpu_s=60)) for number in range(20)]
    time.sleep(0.3)
    start = time.monotonic()
    made.close()
    assert time.monotonic() - start < 10
    assert all(future.done() for future in futures)
    assert {future.cancelled() or future.result().verdict is Verdict.UNGRADED for future in futures} == {True}
    with pytest.raises(RuntimeError):
        made.submit(DOUBLE, RIGHT)


@pytest.mark.parametrize("many", ["grade_many", "grade_as_completed"])
def test_closing_frees_a_thread_that_waits_for_results(many):
    made = Executor(1, yield_sleepers=False, limits=Limits(cpu_s=60))
    items = [(DOUBLE, distinct(LOOP, number)) for number in range(4)]
    ended = threading.Event()

    def consume():
        with contextlib.suppress(CancelledError):
            list(getattr(made, many)(items))
        ended.set()

    threading.Thread(target=consume, daemon=True).start()
    time.sleep(0.3)
    made.close()
    assert ended.wait(5)


def test_closing_twice_is_no_error():
    made = Executor(1)
    made.close()
    made.close()


# ---- equal work


def test_equal_code_for_equal_problems_is_graded_once(pool):
    same = make_problem("p2", statement="other words", tests=DOUBLE.tests)
    first = pool.grade(DOUBLE, RIGHT)
    assert pool.grade(DOUBLE, RIGHT) is first
    assert pool.grade(DOUBLE, f"{RIGHT}\r\n\n") is first
    assert pool.grade(same, RIGHT) is first


def test_code_that_is_being_graded_is_not_started_again(pool):
    code = distinct(ASLEEP.format(0.2), "once")
    results = list(pool.grade_many([(DOUBLE, code)] * 6))
    assert len(set(map(id, results))) == 1


@pytest.mark.parametrize("other", ["code", "tests", "limits"])
def test_other_work_is_graded_by_itself(pool, other):
    problem = make_problem(tests=CallTests(fn_name="double", inputs=["1"], outputs=["3"]))
    first = pool.grade(DOUBLE, RIGHT)
    second = {
        "code": lambda: pool.grade(DOUBLE, f"\n{RIGHT}"),
        "tests": lambda: pool.grade(problem, RIGHT),
        "limits": lambda: pool.grade(DOUBLE, RIGHT, Limits(cpu_s=5)),
    }[other]()
    assert second is not first
    assert second.passed is (other != "tests")


def test_every_sample_is_graded_by_itself_when_asked():
    assert executor().grade(DOUBLE, RIGHT) is not executor().grade(DOUBLE, RIGHT)


def outcome(code):
    """What Python makes of a program."""
    values = {}
    try:
        exec(compile(code, "code", "exec"), values)
    except SyntaxError:
        return "syntax error"
    return values["x"]


@given(
    st.sampled_from(["x = 1", "x = '''a\rb\r\nc'''", "x = 1 # c", "x = (1,\n2)", "x = 'a\\\n\r\nb'", "x = 1;\\"]),
    st.text("\r\n \t\f\v\x1c\x1f\x85\xa0\u2028\u3000#", max_size=4),
)
@example("x = 1;\\", "\r ")
def test_programs_taken_for_equal_do_the_same(code, end):
    assert outcome(code + end) == outcome(normalised(code + end))


# ---- options


THREE = make_problem(
    tests=CallTests(fn_name="f", inputs=["0", "1", "2"], outputs=["0", "1", "2"]),
    reference_solution="def f(n): return n",
)


@pytest.mark.parametrize(("adaptive", "first"), [(False, 1), (True, 2)])
def test_with_adaptive_order_the_test_that_failed_most_comes_first(adaptive, first):
    with Executor(1, adaptive=adaptive) as made:
        assert made.grade(THREE, "def f(n): return n if n < 2 else -1").test_index == 2
        assert made.grade(THREE, "def f(n): return n if n < 1 else -1").test_index == first
        assert made.grade(THREE, "def f(n): return n").passed


def test_calibrated_limits_are_ten_times_what_the_reference_needs_and_in_the_result():
    slow = BUSY.replace("double", "f").replace("2 * n", "n")
    problems = {
        0.5: THREE,
        6.0: THREE.model_copy(update={"reference_solution": None}),
        1.5: THREE.model_copy(update={"reference_solution": slow.format(0.05)}),
    }
    with Executor(1, calibrate=True) as made:
        for limit_s, problem in problems.items():
            found = made.grade(problem, "def f(n): return n")
            assert found.passed
            assert found.limit_s == pytest.approx(limit_s, rel=0.5 if limit_s == 1.5 else 0.01)
        endless = made.grade(THREE, "def f(n):\n    while True: pass")
        assert (endless.verdict, endless.limit_s) == (Verdict.TIME_LIMIT, 0.5)
        assert endless.cpu_s < 2
        assert made.grade(THREE, "def f(n): return n", QUICK).limit_s == 0.3


def test_a_limit_is_in_the_result_only_where_something_ran(pool):
    assert pool.grade(DOUBLE, RIGHT).limit_s == 6.0
    assert pool.grade(DOUBLE, RIGHT, QUICK).limit_s == 0.3
    assert pool.grade(DOUBLE, "").limit_s is None


# ---- sleepers


@pytest.mark.parametrize("yields", [True, False])
def test_who_sleeps_does_not_hold_a_worker(yields):
    with Executor(1, yield_sleepers=yields) as made:
        done = []
        sleeper = made.submit(DOUBLE, ASLEEP.format(1.0))
        sleeper.add_done_callback(lambda future: done.append("sleeper"))
        time.sleep(0.2)
        quick = made.submit(DOUBLE, RIGHT)
        quick.add_done_callback(lambda future: done.append("quick"))
        wait_for([sleeper, quick])
        assert sleeper.result().passed and quick.result().passed
    assert done == (["quick", "sleeper"] if yields else ["sleeper", "quick"])


def test_eternal_sleep_ends_by_wall_time_and_takes_none_of_the_cpu(pool):
    found = pool.grade(DOUBLE, ASLEEP.format(3600), QUICK)
    assert found.verdict is Verdict.TIME_LIMIT
    assert found.cpu_s < 0.2
    assert QUICK.wall_s * 0.8 < found.wall_s < 10


# ---- problems that are no good

RAISES_LATE = AssertTests(check="def check(candidate):\n    assert candidate(1) == 2\n    assert 1 / 0 == candidate(4)")
RAISES_AT_ONCE = AssertTests(check="def check(candidate):\n    candidate(1)\n    raise KeyError")


@pytest.mark.parametrize("code", [RIGHT, WRONG, LOOP, "def double(n:", "double = 1 / 0"])
@pytest.mark.parametrize("reference", [WRONG, "def double(n:", "x = 1", "import os; os._exit(0)"])
def test_a_failing_reference_solution_leaves_failing_samples_ungraded(pool, code, reference):
    problem = DOUBLE.model_copy(update={"reference_solution": reference})
    found = pool.grade(problem, code, QUICK)
    if code == RIGHT:
        assert found.verdict is Verdict.ACCEPTED
    else:
        assert found.verdict is Verdict.UNGRADED
        assert "the reference solution fails these tests too" in found.message


def test_a_reference_that_passes_lets_a_finding_count(pool):
    problem = DOUBLE.model_copy(update={"reference_solution": RIGHT})
    assert pool.grade(problem, WRONG).verdict is Verdict.WRONG_ANSWER


def test_a_reference_too_slow_for_one_limit_may_do_for_another(pool):
    problem = DOUBLE.model_copy(update={"reference_solution": BUSY.format(0.4)})
    assert pool.grade(problem, WRONG, QUICK).verdict is Verdict.UNGRADED
    assert pool.grade(problem, WRONG).verdict is Verdict.WRONG_ANSWER


@pytest.mark.parametrize("outputs", [["2", "8"], None])
def test_expected_results_come_from_the_reference_where_the_tests_have_none(pool, outputs):
    tests = CallTests(fn_name="double", inputs=["1", "4"], outputs=outputs, encoding="wire", compare="evalplus")
    problem = make_problem(tests=tests, reference_solution=RIGHT)
    assert pool.grade(problem, RIGHT).passed is True
    assert pool.grade(problem, WRONG).passed is False
    broken = make_problem(tests=tests, reference_solution="def double(n): raise ValueError")
    assert pool.grade(broken, WRONG).verdict is Verdict.UNGRADED


@pytest.mark.parametrize(
    "fields",
    [
        {"tests": None},
        {"tests": AssertTests(check=CHECK), "entry_point": None},
        {"tests": RAISES_LATE, "entry_point": "double"},
        {"tests": RAISES_LATE, "entry_point": "double", "reference_solution": RIGHT},
        {"tests": RAISES_AT_ONCE, "entry_point": "double"},
        {"tests": AssertTests(check="import nothing_like_it\n" + CHECK), "entry_point": "double"},
        {"tests": AssertTests(check="check = 5"), "entry_point": "double"},
        {"tests": AssertTests(check=CHECK), "entry_point": "double", "prompt": "import nothing_like_it"},
        {"tests": AssertTests(check=CHECK), "entry_point": "double", "prompt": "def ("},
    ],
    ids=[
        *("none", "entry point", "raises late", "raises late, with a reference", "raises at once", "import"),
        *("no check", "prompt raises", "prompt syntax"),
    ],
)
def test_a_bad_problem_leaves_the_sample_ungraded(pool, fields):
    found = pool.grade(make_problem(**fields), RIGHT)
    assert (found.verdict, found.passed) == (Verdict.UNGRADED, None), found
    assert found.message


def test_a_result_survives_json(pool):
    for code in (RIGHT, WRONG, LOOP):
        found = pool.grade(DOUBLE, code, QUICK)
        assert type(found).model_validate(json.loads(found.model_dump_json())) == found
