"""The filter of system calls: the compiled program decides exactly what the rules say."""

import errno
import functools
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcb_rb.execution.worker import seccomp, syscalls

ALLOW, KILL, TRAP, REFUSE, MISSING = 0x7FFF0000, 0x80000000, 0x30000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
WORD = 2**64
CHOICES = [(lookup, files, truncate) for lookup in (0, 1) for files in (0, 1) for truncate in (0, 1)]
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}

here = pytest.mark.skipif(syscalls.machine() not in AUDIT, reason="the processor is not known")


@functools.cache
def made(choice):
    lookup, files, truncate = choice
    rules = seccomp.rules(lookup=bool(lookup), files=bool(files), truncate=bool(truncate))
    code = seccomp.compiled(rules)
    return rules, [struct.unpack_from("HBBI", code, place) for place in range(0, len(code), 8)]


def decided(program, number, arguments, architecture=None):
    """What the kernel makes of a program: https://www.kernel.org/doc/html/latest/networking/filter.html"""
    architecture = AUDIT[syscalls.machine()] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments)
    place = value = 0
    while True:
        code, yes, no, constant = program[place]
        place += 1
        if code == 0x20:
            assert constant % 4 == 0 and constant < len(data)
            value = struct.unpack_from("=I", data, constant)[0]
        elif code == 0x05:
            place += constant
        elif code == 0x15:
            place += yes if value == constant else no
        elif code == 0x35:
            place += yes if value >= constant else no
        elif code == 0x54:
            value &= constant
        elif code == 0x06:
            return constant
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


def meant(rules, number, arguments):
    """What the rules say, read naively."""
    names = {known: name for name, known in syscalls.numbers(syscalls.machine()).items()}
    name = names.get(number)
    if name == "clone3":
        return MISSING
    if name not in rules:
        return TRAP if "stat" not in rules and name in seccomp.TRAPPED.split() else REFUSE
    for check in rules[name]:
        argument = arguments[check.argument]
        if check.whole and argument >> 32:
            return REFUSE
        if argument & 0xFFFF_FFFF & check.mask not in check.values:
            return REFUSE
    return ALLOW


edges = st.sampled_from(
    [0, 1, 2, 3, 15, 16, 38, 0x10000, 0x3D0F00, 0x11, 0o2000000, 0x5401, 2**32 - 1, 2**32, WORD - 1]
)
bits = st.lists(st.integers(0, 63), max_size=4).map(lambda places: sum({1 << place for place in places}))
arguments = st.lists(edges | bits | st.integers(0, WORD - 1), min_size=6, max_size=6)
numbers = st.integers(0, 600) | st.integers(0x40000000, 0x40000300) | st.integers(0, 2**32 - 1)


@here
@given(st.sampled_from(CHOICES), numbers, arguments)
def test_any_call_is_decided_as_the_rules_say(choice, number, values):
    rules, program = made(choice)
    assert decided(program, number, values) == meant(rules, number, values)


@here
@given(st.sampled_from(CHOICES), st.data())
def test_a_call_with_conditions_is_decided_as_the_rules_say(choice, data):
    rules, program = made(choice)
    name = data.draw(st.sampled_from(sorted(name for name in rules if rules[name])))
    known = syscalls.numbers(syscalls.machine())
    if name in known:
        values = data.draw(arguments)
        for check in rules[name]:
            if data.draw(st.booleans()):
                values[check.argument] = data.draw(st.sampled_from(check.values)) | data.draw(bits) & ~check.mask
        assert decided(program, known[name], values) == meant(rules, known[name], values)


@here
@pytest.mark.parametrize("choice", CHOICES)
def test_every_number_is_decided_as_the_rules_say(choice):
    rules, program = made(choice)
    for values in ([0] * 6, [2**32] * 6):
        for number in [*range(480), *range(0x40000000, 0x40000200, 7), 2**32 - 1]:
            assert decided(program, number, values) == meant(rules, number, values), number


@here
@given(st.integers(0, 2**32 - 1), numbers, arguments)
def test_a_call_in_another_architectures_way_kills(architecture, number, values):
    if architecture != AUDIT[syscalls.machine()]:
        assert decided(made(CHOICES[-1])[1], number, values, architecture) == KILL


FORBIDDEN = """
execve fork vfork clone3 mount umount2 unshare setns pivot_root seccomp capset setresuid setresgid setgroups accept
accept4 landlock_create_ruleset timerfd_create timer_create mlock creat
"""


@here
@given(st.sampled_from(CHOICES), st.sampled_from(FORBIDDEN.split()), arguments)
def test_what_must_never_be_allowed_is_not(choice, name, values):
    number = syscalls.numbers(syscalls.machine()).get(name)
    assert number is None or decided(made(choice)[1], number, values) in (REFUSE, MISSING)


@here
@given(st.sampled_from(CHOICES), arguments)
def test_clone_makes_threads_only(choice, values):
    allowed = decided(made(choice)[1], syscalls.numbers(syscalls.machine())["clone"], values) == ALLOW
    assert not allowed or (values[0] & 0x10000 and not values[0] & 0x7E020080)


@here
@given(st.sampled_from(CHOICES), st.sampled_from(["open", "openat"]), arguments)
def test_files_are_opened_to_write_only_where_there_is_a_place_for_them(choice, name, values):
    number = syscalls.numbers(syscalls.machine()).get(name)
    if number is not None and decided(made(choice)[1], number, values) == ALLOW:
        flags = values[1 if name == "open" else 2]
        assert not flags & 0o10000000
        assert choice[1] or not flags & (0o3 | 0o100 | 0o1000)


@here
def test_a_program_fits_the_kernel():
    for choice in CHOICES:
        program = made(choice)[1]
        assert len(program) <= 4096
        for place, (code, yes, no, constant) in enumerate(program):
            reach = constant if code == 0x05 else max(yes, no) if code in (0x15, 0x35) else 0
            assert code == 0x06 or place + 1 + reach < len(program)


def defined(path):
    """The numbers in a kernel header, by name."""
    text = path.read_text(encoding="utf-8")
    found = dict(re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)", text, flags=re.MULTILINE))
    return {name: int(number) for name, number in found.items()}


ALIASES = {"newfstatat": ["newfstatat", "fstatat"]}
"""Names of asm-generic that stand for both word sizes."""


@pytest.mark.parametrize("name", HEADERS)
def test_numbers_are_the_kernels(name):
    if not HEADERS[name].exists():
        pytest.skip("its headers are not installed")
    known = defined(HEADERS[name])
    for call, number in syscalls.numbers(name).items():
        assert number in [known.get(alias) for alias in ALIASES.get(call, [call])], call


def test_another_processor_is_refused():
    with pytest.raises(OSError, match="riscv64 are not known"):
        syscalls.numbers("riscv64")
    assert len(syscalls.numbers("aarch64")) > 100
