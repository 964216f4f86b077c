"""The filter of system calls that graded code lives under: an allow-list, compiled to BPF."""

import errno
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .syscalls import machine, numbers

EVERYWHERE = """
alarm brk clock_getres clock_gettime clock_nanosleep close close_range dup dup2 dup3 epoll_create epoll_create1
epoll_ctl epoll_pwait epoll_wait eventfd2 exit exit_group fadvise64 fchdir fdatasync flock fstat fstatfs fsync
ftruncate futex futex_waitv getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpgid getpgrp
getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid
gettimeofday getuid lseek madvise membarrier mmap mprotect mremap msync munmap nanosleep pause pipe pipe2 poll ppoll
pread64 preadv preadv2 pselect6 pwrite64 pwritev read readahead readv recvfrom restart_syscall rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getparam sched_getscheduler sched_yield select sendfile set_robust_list set_tid_address
setitimer setrlimit shutdown sigaltstack sysinfo time times umask uname wait4 waitid write writev
"""
"""Calls that reach nothing outside the process but what it was handed."""

LOOKUP = "access chdir faccessat faccessat2 lstat newfstatat readlink readlinkat stat statfs statx"
"""Calls that tell whether a path exists; only where the file system is the sandbox's own."""

TRAPPED = "access chmod faccessat fchmod fchmodat lstat newfstatat stat utimensat"
"""Where it is not: those that `_syscalls.emulate_lookup` answers; files' modes and times it leaves as they are."""

FILES = "fallocate mkdir mkdirat rename renameat renameat2 rmdir unlink unlinkat"
"""Calls that change a directory; only where there is a scratch directory."""

OWN_FILES = "chmod fchmod fchmodat link linkat symlink symlinkat truncate utimensat"
"""Calls that Landlock does not watch over, or not all of them; only where every writable file is the sandbox's own."""

O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_PATH = 0o1, 0o2, 0o100, 0o1000, 0o10000000
CLONE_THREAD, CLONE_NEW = 0x10000, 0x7E020080
AF_UNIX = 1
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030)
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_PRCTL = (15, 16, 0x53564D41)

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_ALLOW, _KILL, _ERRNO, _TRAP = 0x7FFF0000, 0x80000000, 0x00050000, 0x00030000
_LOAD, _JUMP, _EQ, _GE, _AND, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x54, 0x06

Instruction = tuple[int, int, int, int]
Program = list[Instruction]


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on one argument of a call."""

    argument: int
    """Position, from 0."""
    values: tuple[int, ...]
    """Allowed values of the lower 32 bits, after the mask."""
    mask: int = 0xFFFF_FFFF
    """Bits that count."""
    whole: bool = False
    """Whether the upper 32 bits must be 0, as for a null pointer."""


def rules(*, lookup: bool, files: bool, truncate: bool = True) -> dict[str, list[Check]]:
    """Returns the allowed calls, each with the conditions on its arguments.

    Args:
        lookup: Paths may be looked up: the file system is the sandbox's own.
        files: There is a scratch directory to write to.
        truncate: Opening may truncate: something else keeps files outside the scratch directory safe from it.
    """
    names = f"{EVERYWHERE} {LOOKUP if lookup else ''} {FILES if files else ''} {OWN_FILES if lookup and files else ''}"
    refused = O_PATH | (0 if files else O_WRONLY | O_RDWR | O_CREAT) | (0 if files and truncate else O_TRUNC)
    return {name: [] for name in names.split()} | {
        "clone": [Check(0, (CLONE_THREAD,), CLONE_THREAD), Check(0, (0,), CLONE_NEW)],
        "fcntl": [Check(1, _FCNTL)],
        "ioctl": [Check(1, _IOCTL)],
        "open": [Check(1, (0,), refused)],
        "openat": [Check(2, (0,), refused)],
        "prctl": [Check(0, _PRCTL)],
        "prlimit64": [Check(0, (0,), whole=True)],
        "sendto": [Check(4, (0,), whole=True)],
        "socketpair": [Check(0, (AF_UNIX,))],
    }


def compiled(allowed: Mapping[str, Sequence[Check]]) -> bytes:
    """Returns the BPF program: what is not allowed gets EPERM, `clone3` ENOSYS so that libc falls back to `clone`.

    Where lookups are not allowed they raise SIGSYS, whose handler answers them; without the handler it kills.

    Numbers are found by bisection: installing a filter runs it once for every number, so its depth is what costs.

    Raises:
        OSError: the architecture is not known.
    """
    known = numbers(machine())
    leaves = {known[name]: _checked(checks) for name, checks in allowed.items() if name in known}
    leaves[known["clone3"]] = [_refuse(errno.ENOSYS)]
    trapped = [known[name] for name in TRAPPED.split() if name in known and "newfstatat" not in allowed]
    leaves |= {number: [(_RETURN, 0, 0, _TRAP)] for number in trapped}
    program = [
        (_LOAD, 0, 0, 4),
        (_EQ, 1, 0, _AUDIT[machine()]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        *_bisect(_segments(leaves)),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _refuse(error: int) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _segments(leaves: Mapping[int, Program]) -> list[tuple[int, Program]]:
    """Returns (first number, what to do from there on), equal neighbours joined; x32 numbers are refused too."""
    refuse = [_refuse(errno.EPERM)]
    segments: list[tuple[int, Program]] = [(0, refuse)]
    for number in sorted(leaves):
        for start, leaf in ((number, leaves[number]), (number + 1, refuse)):
            if segments[-1][0] == start:
                segments.pop()
            if not segments or segments[-1][1] != leaf:
                segments.append((start, leaf))
    return segments


def _bisect(segments: Sequence[tuple[int, Program]]) -> Program:
    if len(segments) == 1:
        return list(segments[0][1])
    middle = len(segments) // 2
    low, high = _bisect(segments[:middle]), _bisect(segments[middle:])
    return [(_GE, 0, 1, segments[middle][0]), (_JUMP, 0, 0, len(low)), *low, *high]


def _checked(checks: Sequence[Check]) -> Program:
    program: Program = []
    for check in checks:
        offset = 16 + 8 * check.argument
        if check.whole:
            program += [(_LOAD, 0, 0, offset + 4), (_EQ, 1, 0, 0), _refuse(errno.EPERM)]
        program.append((_LOAD, 0, 0, offset))
        if check.mask != 0xFFFF_FFFF:
            program.append((_AND, 0, 0, check.mask))
        for left, value in zip(range(len(check.values), 0, -1), check.values, strict=True):
            program.append((_EQ, left, 0, value))
        program.append(_refuse(errno.EPERM))
    return [*program, (_RETURN, 0, 0, _ALLOW)]
