"""The layers that shut graded code in: namespaces with a root of their own, Landlock, rlimits, no privileges.

A zygote enters the namespaces once (`enter_namespaces`); each of its children runs a prepared list of system calls
(a `Cell`) before it reads the code that it is to run.
"""

import contextlib
import ctypes
import os
import resource
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from . import seccomp, syscalls

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
MNT_DETACH, MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, AT_FDCWD, AT_RECURSIVE = 2, 1, 2, -100, 0x8000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, SECCOMP_SET_MODE_FILTER, SIGKILL = 1, 38, 1, 9
LANDLOCK_VERSION, LANDLOCK_RULE_PATH = 1, 1
LANDLOCK_READ = 0b1100
LANDLOCK_WRITE_FILE = 0b10
LANDLOCK_SCRATCH = 0b110_0001_1011_1110
"""Read, write, truncate, rename, make and remove files and directories; no symbolic links, devices or sockets."""

LANDLOCK_MAKE_SYMLINK = 1 << 12

NOBODY = 65534
SCRATCH = "/tmp"
SCRATCH_MB = 64
MAX_THREADS = 128
MAX_DESCRIPTORS = 64
STACK_BYTES = 2**26
"""More than the usual 8 MiB: judges' sites allow deep recursion."""

_PER_CHILD = (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE)

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
DATA = ("/etc/ld.so.cache", "/usr/share/zoneinfo")

FULL, NO_NAMESPACES, RLIMITS_ONLY = "full", "no-namespaces", "rlimits-only"


def library_paths(packages: Iterable[Path]) -> list[Path]:
    """Returns what a child may read: the standard library, the directories of the loaded libraries, the packages."""
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123 - early and plain
        loaded = {Path(line.split(maxsplit=5)[5].strip()) for line in maps if line.count(" ") and "/" in line}
    libraries = {path.parent for path in loaded if ".so" in path.name}
    standard = {Path(os.__file__).parent, Path(sys.base_prefix) / "lib"}
    wanted = sorted({*standard, *libraries, *packages, *map(Path, DATA)})
    inside = [path for path in wanted if path.exists() and path.parts[1:2] not in (("dev",), ("proc",))]
    return [path for path in inside if not any(other in path.parents for other in inside)]


def enter_namespaces() -> None:
    """Moves the process into namespaces of its own; its next child is the first of a new pid namespace.

    Root stays root; another user gets a user namespace.

    Raises:
        OSError: the machine does not allow it; the message names the step.
    """
    kinds = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    user, group = os.geteuid(), os.getegid()
    try:
        syscalls.call("unshare", kinds)
    except OSError:
        syscalls.call("unshare", kinds | CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
    syscalls.call("mount", b"none", b"/", b"none", MS_REC | MS_PRIVATE, 0)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def change_root(readable: Iterable[Path]) -> None:
    """Gives the process a root that holds only what is readable, read-only, and no /proc.

    It is built on a tmpfs over /tmp; what it shows is opened before, as /tmp may hold it.

    Raises:
        OSError: the machine does not allow it; the message names the step.
    """
    sources = [(path, os.open(path, os.O_PATH)) for path in [*readable, *map(Path, DEVICES)]]
    base = Path("/tmp")
    syscalls.call("mount", b"tmpfs", b"/tmp", b"tmpfs", MS_NOSUID | MS_NODEV, b"size=1m,nr_inodes=4k,mode=755")
    for path, descriptor in sources:
        target = base / path.relative_to("/")
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        syscalls.call("mount", f"/proc/self/fd/{descriptor}".encode(), bytes(target), b"none", MS_BIND | MS_REC, 0)
        read_only = struct.pack("4Q", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0, 0)
        syscalls.call("mount_setattr", AT_FDCWD, bytes(target), AT_RECURSIVE, read_only, len(read_only))
        os.close(descriptor)
    for link in map(Path, ("/lib", "/lib64")):  # where these are links, libraries are looked for through them
        if link.is_symlink() and not (base / link.name).exists():
            (base / link.name).symlink_to(link.readlink())
    (base / SCRATCH[1:]).mkdir(exist_ok=True)
    (base / "dev" / "shm").symlink_to(SCRATCH)  # where semaphores are files
    os.chdir(base)
    syscalls.call("pivot_root", b".", b".")
    syscalls.call("umount2", b".", MNT_DETACH)
    syscalls.call("mount", b"none", b"/", b"none", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, 0)
    os.chdir("/")


def landlock_version() -> int:
    """Returns the version of Landlock that the kernel offers.

    Raises:
        OSError: it offers none.
    """
    return syscalls.call("landlock_create_ruleset", 0, 0, LANDLOCK_VERSION)


class Ruleset:
    """A Landlock ruleset: everything that it can forbid is forbidden but for the paths that are added."""

    def __init__(self, version: int) -> None:
        """Starts with nothing allowed.

        Raises:
            OSError: the kernel refuses it.
        """
        files = (1 << 13) - 1 if version == 1 else (1 << 14) - 1 if version == 2 else (1 << 15) - 1
        self.handled = files | (1 << 15 if version >= 5 else 0)
        network, scopes = (0b11 if version >= 4 else 0), (0b11 if version >= 6 else 0)
        fields = struct.pack("3Q", self.handled, network, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
        self.descriptor = syscalls.call("landlock_create_ruleset", fields, len(fields), 0)

    def allow(self, path: Path, rights: int) -> None:
        """Allows the rights under a path, or on a file; a path that does not exist is passed over."""
        try:
            descriptor = os.open(path, os.O_PATH)
        except FileNotFoundError:
            return
        with contextlib.closing(_Descriptor(descriptor)):
            self.allow_open(descriptor, rights)

    def allow_open(self, descriptor: int, rights: int) -> None:
        """Allows the rights under an open directory, or on an open file."""
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= 0b100_0000_0000_0110
        rule = struct.pack("<Qi", rights & self.handled, descriptor)
        syscalls.call("landlock_add_rule", self.descriptor, LANDLOCK_RULE_PATH, rule, 0)

    def close(self) -> None:
        """Closes the ruleset's descriptor."""
        os.close(self.descriptor)


class _Descriptor:
    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        os.close(self.number)


class Cell:
    """The system calls by which a child shuts itself in, for one level and one choice of scratch directory."""

    def __init__(self, level: str, *, files: bool, version: int, readable: Iterable[Path], user: int | None) -> None:
        """Prepares what can be prepared before the fork.

        Args:
            level: One of the three levels.
            files: Whether there is a scratch directory.
            version: Landlock's.
            readable: What may be read.
            user: User id to take on, where the zygote is root: one of its own, so that `MAX_THREADS` holds for it.
        """
        self.level, self.files, self.version = level, files, version
        self._readable, self._user = list(readable), user
        self._bounds = {kind: ctypes.create_string_buffer(16) for kind in _PER_CHILD}
        self._ruleset = None if level == RLIMITS_ONLY else self._rules()
        self._calls = self._prepared(self._ruleset)
        self.packed, self.names = self._calls.packed()

    def limit(self, cpu_s: int, memory_bytes: int, output_bytes: int) -> None:
        """Sets what the next child may use, or what the machine allows where that is less."""
        wanted = ((cpu_s, cpu_s + 1), (memory_bytes, memory_bytes), (output_bytes, output_bytes))
        for (kind, buffer), (soft, hard) in zip(self._bounds.items(), wanted, strict=True):
            allowed = resource.getrlimit(kind)[1] % 2**64
            struct.pack_into("QQ", buffer, 0, min(soft, allowed), min(hard, allowed))

    def with_directory(self, descriptor: int) -> tuple[syscalls.Calls, Ruleset | None]:
        """Returns the calls of a child that may write to an open directory, and the ruleset to close after the fork."""
        if self.level == RLIMITS_ONLY:
            return self._calls, None
        ruleset = self._rules()
        ruleset.allow_open(descriptor, LANDLOCK_SCRATCH)
        return self._prepared(ruleset), ruleset

    def _rules(self) -> Ruleset:
        ruleset = Ruleset(self.version)
        if self.level == FULL:  # the root shows nothing else; a rule on a covered mount point would not hold
            ruleset.allow(Path("/"), LANDLOCK_SCRATCH | LANDLOCK_MAKE_SYMLINK if self.files else LANDLOCK_READ)
        for path in self._readable:
            ruleset.allow(path, LANDLOCK_READ)
        for device in map(Path, DEVICES):
            ruleset.allow(device, LANDLOCK_READ | LANDLOCK_WRITE_FILE)
        return ruleset

    def _prepared(self, ruleset: Ruleset | None) -> syscalls.Calls:
        calls = syscalls.Calls()
        full = self.level == FULL
        user = self._user
        if full and self.files:
            owner = os.geteuid() if user is None else user
            options = (
                f"size={SCRATCH_MB}m,nr_inodes=4k,mode=700,uid={owner},gid={os.getegid() if user is None else NOBODY}"
            )
            calls.add("unshare", CLONE_NEWNS)
            calls.add("mount", b"tmpfs", SCRATCH.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options.encode())
            calls.add("chdir", SCRATCH.encode())
        self._add_limits(calls, threads=full)
        if user is not None:
            calls.add("setgroups", 0, 0)
            calls.add("setresgid", NOBODY, NOBODY, NOBODY)
            calls.add("setresuid", user, user, user)
        calls.add("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if self.level == RLIMITS_ONLY:
            calls.add("prctl", PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
            calls.add("close_range", 5, 0xFFFF_FFFF, 0)
            return calls
        calls.add("capset", struct.pack("<Ii", 0x20080522, 0), bytes(24))
        calls.add("prctl", PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)  # a change of credentials would take it back
        if ruleset:
            calls.add("landlock_restrict_self", ruleset.descriptor, 0)
        calls.add("close_range", 5, 0xFFFF_FFFF, 0)
        safe = full or self.version >= 3
        code = seccomp.compiled(seccomp.rules(lookup=full, files=self.files, truncate=safe))
        program = ctypes.create_string_buffer(code)
        calls.keep(program)
        calls.add("seccomp", SECCOMP_SET_MODE_FILTER, 0, struct.pack("HP", len(code) // 8, ctypes.addressof(program)))
        return calls

    def _add_limits(self, calls: syscalls.Calls, *, threads: bool) -> None:
        bounds = {
            resource.RLIMIT_CORE: (1, 1),  # 0 would still start a core handler that reads a pipe
            resource.RLIMIT_NOFILE: (MAX_DESCRIPTORS, MAX_DESCRIPTORS),
            resource.RLIMIT_MSGQUEUE: (0, 0),
            resource.RLIMIT_STACK: (STACK_BYTES, resource.getrlimit(resource.RLIMIT_STACK)[1] % 2**64),
        } | ({resource.RLIMIT_NPROC: (MAX_THREADS, MAX_THREADS)} if threads else {})
        for kind, (soft, hard) in bounds.items():
            allowed = resource.getrlimit(kind)[1] % 2**64
            calls.add("prlimit64", 0, kind, struct.pack("QQ", min(soft, allowed), min(hard, allowed)), 0)
        for kind, buffer in self._bounds.items():
            calls.add("prlimit64", 0, kind, buffer, 0)


def address_space() -> int:
    """Returns the bytes of address space that this process has, and so a child of it starts with."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - early and plain
        return int(statm.read().split()[0]) * resource.getpagesize()


def free_user() -> int | None:
    """Returns a user id that nobody else has if this process may take it on, else None."""
    user = 0x4000_0000 + os.getpid() % 0x1000_0000
    with open("/proc/self/uid_map", encoding="ascii") as stream:  # noqa: PTH123 - early and plain
        ranges = [tuple(map(int, line.split())) for line in stream]
    mapped = any(first <= user < first + count for first, _, count in ranges)
    return user if mapped and os.geteuid() == 0 else None
