"""Who may import whom, and what an import may cost."""

import ast
import resource
import subprocess
import sys

import pytest

from factories import ROOT, run_recode

ALLOWED = {
    "lcb_rb": {"lcb_rb"},
    "builders": {"builders", "lcb_rb"},
    "recode_models": {"recode_models", "lcb_rb"},
    "leaderboard": {"leaderboard", "lcb_rb"},
}
HEAVY = {"torch", "transformers", "trl", "evaluate", "datasets"}
WORKER = ROOT / "lcb_rb" / "execution" / "worker"
"""Loaded under another name by processes without this package: its own modules are imported relatively."""


def imported(path):
    """Every module that a file imports, anywhere in it; a relative import starts with its dots."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ["." * node.level + (node.module or alias.name) for alias in node.names]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_meet_only_where_the_design_says(package):
    own = set(ALLOWED)
    for path in (ROOT / package).rglob("*.py"):
        used = {name.partition(".")[0] for name in imported(path)} & own
        assert used <= ALLOWED[package], f"{path.relative_to(ROOT)} imports {used - ALLOWED[package]}"


def test_only_the_worker_imports_relatively():
    for package in ALLOWED:
        for path in (ROOT / package).rglob("*.py"):
            relative = [name for name in imported(path) if name.startswith(".")]
            assert not relative or WORKER in path.parents, f"{path.relative_to(ROOT)} imports {relative}"


def test_the_worker_imports_only_the_standard_library_and_itself():
    own = {f".{path.stem}" for path in WORKER.glob("*.py")} | {"._syscalls"}
    for path in WORKER.rglob("*.py"):
        foreign = {name for name in imported(path) if name.partition(".")[0] not in sys.stdlib_module_names} - own
        assert not foreign, f"{path.name} imports {foreign}"


@pytest.mark.parametrize("module", ["grader", "zygote"])
def test_the_worker_loads_under_another_name_without_any_package(module):
    code = f"import sys; sys.path.insert(0, {str(WORKER.parent)!r}); import worker.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert not {name.partition(".")[0] for name in done.stdout.split()} & {"lcb_rb", "pydantic", "numpy"}


def test_no_package_imports_the_command():
    for package in ALLOWED:
        for path in (ROOT / package).rglob("*.py"):
            assert "recode" not in {name.partition(".")[0] for name in imported(path)}, path


@pytest.mark.parametrize("module", ["lcb_rb", "lcb_rb.evaluation", "lcb_rb.pairs", "lcb_rb.sources", "recode"])
def test_importing_loads_no_heavy_library(module):
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {HEAVY!r}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.split() == []


def test_help_takes_under_a_second():
    """Of CPU time: what else the machine does is none of its."""

    def once():
        start = children_s()
        assert run_recode("--help").returncode == 0
        return children_s() - start

    def children_s():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    assert min(once() for _ in range(3)) < 1.0


@pytest.mark.parametrize("command", [(), ("build",), ("train",)])
def test_every_group_lists_its_commands(command):
    shown = run_recode(*command, "--help")
    assert shown.returncode == 0
    assert "Commands" in shown.stdout


def test_the_code_holds_no_path_of_a_machine():
    for path in [*ROOT.glob("*.*"), *(file for package in ALLOWED for file in (ROOT / package).rglob("*.*"))]:
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".txt", ".html"}:
            text = path.read_text(encoding="utf-8")
            assert "/root/" not in text and "/home/" not in text, path
