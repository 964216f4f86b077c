"""`recode doctor --sandbox`: every layer with its reason, and the level, found by trying."""

import json
import sys

import pytest

from lcb_rb.errors import GradingError
from lcb_rb.execution import doctor
from lcb_rb.execution.doctor import DOES, Layer, Sandbox, examine
from lcb_rb.execution.executor import LAYERS, Executor
from lcb_rb.execution.graders import Grader, LevelError
from lcb_rb.schema import Isolation
from lcb_rb.tables import sandbox_text
from test_bad_input import refusal, run_here


@pytest.fixture
def without(monkeypatch):
    """Takes levels away from this machine."""

    def take(*levels):
        def start(level):
            if level in levels:
                raise LevelError(f"{level} is taken away")
            return Grader(level)

        monkeypatch.setattr(doctor, "Grader", start)

    return take


def test_the_level_is_the_executors():
    with Executor(1, least=Isolation.RLIMITS_ONLY) as executor:
        assert examine().level is executor.level


def test_every_layer_of_every_level_is_reported():
    assert set(DOES) == set().union(*LAYERS.values())
    assert list(examine().layers) == list(DOES)


def test_without_namespaces_the_reason_stands_there(without):
    without("full")
    found = examine()
    assert found.layers["namespaces"] == Layer(False, "level full cannot be started: full is taken away")
    assert found.layers["rlimits"].active


def test_a_machine_with_rlimits_only_is_not_safe(without):
    without("full", "no-namespaces")
    found = examine()
    assert (found.level, found.safe) == (Isolation.RLIMITS_ONLY, False)
    assert not found.layers["seccomp"].active
    code, out, err = run_here("doctor", "--sandbox", "--json")
    assert (code, json.loads(out)["level"], err) == (1, "rlimits-only", "")


def test_a_machine_that_starts_nothing_reaches_no_level(without):
    without("full", "no-namespaces", "rlimits-only")
    found = examine()
    assert (found.level, found.safe) == (None, False)
    assert not any(layer.active for layer in found.layers.values())


def test_a_layer_that_lets_something_through_is_named(monkeypatch):
    monkeypatch.setattr(doctor, "probe", lambda grader, layer: "a socket" if layer == "seccomp" else "")
    found = examine()
    assert found.layers["seccomp"] == Layer(False, "a socket")
    assert found.level is Isolation.RLIMITS_ONLY


def test_no_sandbox_off_linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(GradingError, match="on Linux only, this is darwin; use a Linux container"):
        examine()


@pytest.mark.parametrize("arguments", [[], ["some-model", "--sandbox"]])
def test_one_thing_is_looked_at(tmp_path, arguments):
    assert "or: recode doctor --sandbox" in refusal(tmp_path, "doctor", *arguments)


def test_the_command_prints_a_line_a_layer_and_the_level():
    found = examine()
    code, out, err = run_here("doctor", "--sandbox")
    assert (code or 0, out, err) == (0 if found.safe else 1, sandbox_text(found) + "\n", "")


def test_the_text_is_golden(golden):
    layers = {name: Layer(True, does) for name, does in DOES.items()}
    layers["namespaces"] = Layer(False, "level full cannot be started: unshare: Operation not permitted")
    facts = {"landlock ABI": "4; left to seccomp: signals, abstract sockets", "user": "uid 1000"}
    unsafe = {name: Layer(False, "level no-namespaces cannot be started: why") for name in DOES}
    texts = [
        sandbox_text(Sandbox(Isolation.NO_NAMESPACES, layers, facts)),
        sandbox_text(Sandbox(Isolation.RLIMITS_ONLY, unsafe | {"rlimits": layers["rlimits"]}, facts)),
        sandbox_text(Sandbox(None, unsafe, facts)),
    ]
    golden("doctor.txt", "\n\n".join(texts) + "\n")
