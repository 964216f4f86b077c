"""System calls by number, prepared as bytes so that a fresh child can run them without allocating anything."""

import ctypes
import os
import struct
from collections.abc import Callable, Sequence

MACHINES = ("x86_64", "aarch64")
"""Processors whose numbers are known, in the order of the columns below."""

_NUMBERS = """
accept 43 202 · accept4 288 242 · access 21 - · alarm 37 - · arch_prctl 158 - · brk 12 214 · capset 126 91
chdir 80 49 · chmod 90 - · clock_getres 229 114 · clock_gettime 228 113 · clock_nanosleep 230 115 · clone 56 220
clone3 435 435 · close 3 57 · close_range 436 436 · creat 85 - · dup 32 23 · dup2 33 - · dup3 292 24
epoll_create 213 - · epoll_create1 291 20 · epoll_ctl 233 21 · epoll_pwait 281 22 · epoll_wait 232 -
eventfd2 290 19 · execve 59 221 · exit 60 93 · exit_group 231 94 · faccessat 269 48 · faccessat2 439 439
fadvise64 221 223 · fallocate 285 47 · fchdir 81 50 · fchmod 91 52 · fchmodat 268 53 · fcntl 72 25 · fdatasync 75 83
flock 73 32 · fork 57 - · fstat 5 80 · fstatfs 138 44 · fsync 74 82 · ftruncate 77 46 · futex 202 98
futex_waitv 449 449 · getcwd 79 17 · getdents 78 - · getdents64 217 61 · getegid 108 177 · geteuid 107 175
getgid 104 176 · getgroups 115 158 · getitimer 36 102 · getpgid 121 155 · getpgrp 111 - · getpid 39 172
getppid 110 173 · getpriority 140 141 · getrandom 318 278 · getresgid 120 150 · getresuid 118 148 · getrlimit 97 163
getrusage 98 165 · getsid 124 156 · getsockname 51 204 · getsockopt 55 209 · gettid 186 178 · gettimeofday 96 169
getuid 102 174 · ioctl 16 29 · landlock_add_rule 445 445 · landlock_create_ruleset 444 444
landlock_restrict_self 446 446 · link 86 - · linkat 265 37 · lseek 8 62 · lstat 6 - · madvise 28 233
membarrier 324 283 · mincore 27 232 · mkdir 83 - · mkdirat 258 34 · mlock 149 228 · mmap 9 222 · mount 165 40
mount_setattr 442 442 · mprotect 10 226 · mremap 25 216 · msync 26 227 · munlock 150 229 · munmap 11 215
nanosleep 35 101 · newfstatat 262 79 · open 2 - · openat 257 56 · pause 34 - · pipe 22 - · pipe2 293 59
pivot_root 155 41 · poll 7 - · ppoll 271 73 · prctl 157 167 · pread64 17 67 · preadv 295 69 · preadv2 327 286
prlimit64 302 261 · pselect6 270 72 · pwrite64 18 68 · pwritev 296 70 · read 0 63 · readahead 187 213
readlink 89 - · readlinkat 267 78 · readv 19 65 · recvfrom 45 207 · rename 82 - · renameat 264 38
renameat2 316 276 · restart_syscall 219 128 · rmdir 84 - · rseq 334 293 · rt_sigaction 13 134
rt_sigpending 127 136 · rt_sigprocmask 14 135 · rt_sigreturn 15 139 · rt_sigsuspend 130 133
rt_sigtimedwait 128 137 · sched_get_priority_max 146 125 · sched_get_priority_min 147 126
sched_getaffinity 204 123 · sched_getparam 143 121 · sched_getscheduler 145 120 · sched_yield 24 124
seccomp 317 277 · select 23 - · sendfile 40 71 · sendto 44 206 · set_robust_list 273 99 · set_tid_address 218 96
setgroups 116 159 · setitimer 38 103 · setns 308 268 · setresgid 119 149 · setresuid 117 147 · setrlimit 160 164
shutdown 48 210 · sigaltstack 131 132 · socketpair 53 199 · stat 4 - · statfs 137 43 · statx 332 291 · symlink 88 -
symlinkat 266 36 · sysinfo 99 179 · time 201 - · timer_create 222 107 · timer_delete 226 111
timer_getoverrun 225 109 · timer_gettime 224 108 · timer_settime 223 110 · timerfd_create 283 85
timerfd_gettime 287 87 · timerfd_settime 286 86 · times 100 153 · truncate 76 45 · umask 95 166 · umount2 166 39
uname 63 160 · unlink 87 - · unlinkat 263 35 · unshare 272 97 · utimensat 280 88 · vfork 58 - · wait4 61 260
waitid 247 95 · write 1 64 · writev 20 66
"""

_WORD = struct.Struct("7Q")


def machine() -> str:
    """Returns the name of the processor's architecture, whether its numbers are known or not."""
    return os.uname().machine


def numbers(name: str) -> dict[str, int]:
    """Returns the system call numbers of an architecture, by name; a call that it lacks is left out.

    Source: the kernel's `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h`.

    Raises:
        OSError: the architecture is not known.
    """
    if name not in MACHINES:
        raise OSError(f"system calls of {name} are not known, only those of {' and '.join(MACHINES)}")
    column = 1 + MACHINES.index(name)
    rows = (entry.split() for line in _NUMBERS.strip().splitlines() for entry in line.split("·"))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


class Calls:
    """A list of system calls; holds the buffers that they point to."""

    def __init__(self) -> None:
        """Starts empty."""
        self._numbers = numbers(machine())
        self._packed = bytearray()
        self._names: list[str] = []
        self._kept: list[object] = []

    def add(self, name: str, *arguments: "int | bytes | ctypes.Array[ctypes.c_char]") -> None:
        """Appends a call; bytes and buffers are passed by address and kept."""
        words = [self._word(argument) for argument in arguments]
        self._packed += _WORD.pack(self._numbers[name], *words, *[0] * (6 - len(words)))
        self._names.append(name)

    def keep(self, buffer: object) -> None:
        """Keeps a buffer that an argument points to by other means."""
        self._kept.append(buffer)

    def packed(self) -> tuple[bytes, list[str]]:
        """Returns what `run` takes."""
        return bytes(self._packed), list(self._names)

    def _word(self, argument: "int | bytes | ctypes.Array[ctypes.c_char]") -> int:
        if isinstance(argument, int):
            return argument & 0xFFFF_FFFF_FFFF_FFFF
        buffer = ctypes.create_string_buffer(argument) if isinstance(argument, bytes) else argument
        self._kept.append(buffer)
        return ctypes.addressof(buffer)


def call(name: str, *arguments: "int | bytes | ctypes.Array[ctypes.c_char]") -> int:
    """Returns the result of one system call.

    Raises:
        OSError: it failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    words = [
        ctypes.c_long(argument) if isinstance(argument, int) else ctypes.cast(argument, ctypes.c_void_p)  # type: ignore[arg-type]
        for argument in arguments
    ]
    result = libc.syscall(ctypes.c_long(numbers(machine())[name]), *words)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return int(result)


def _run_by_ctypes(packed: bytes) -> tuple[int, int]:
    libc = ctypes.CDLL(None, use_errno=True)
    for index, words in enumerate(_WORD.iter_unpack(packed)):
        if libc.syscall(*map(ctypes.c_ulong, words)) < 0:
            return index, ctypes.get_errno()
    return -1, 0


def runner() -> tuple[str, Callable[[bytes], tuple[int, int]]]:
    """Returns name and function of the quickest way to run packed calls that this installation has."""
    try:
        from . import _syscalls
    except ImportError:
        return "ctypes", _run_by_ctypes
    return "extension", _syscalls.run


def emulate_lookup() -> None:
    """Answers looking up a path, which a filter traps, by opening it, which Landlock watches over.

    Raises:
        OSError: the extension module that does so was not built.
    """
    try:
        from . import _syscalls
    except ImportError as error:
        raise OSError("the extension module is not built; install a C compiler, then this package again") from error
    _syscalls.emulate_lookup()


def failure(names: Sequence[str], outcome: tuple[int, int]) -> str:
    """Returns what failed in words, empty when nothing did."""
    index, error = outcome
    return "" if index < 0 else f"{names[index]}: {os.strerror(error)}"
