"""The process that graded code is forked from: loads the usual modules once, holds no tests, never runs code itself.

Told by its grader over a socket: first its configuration, then one message for every child to start, one to end it.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from . import layers, solution, syscalls

CHANNEL = 3
"""Descriptor of a child's channel to the grader; the zygote's own stands there before the fork."""

ANSWERS = 4
"""Descriptor of the file for a child's answers; kept taken in the zygote."""

SPAWN = struct.Struct("<BIQQ")
"""Whether files are needed, CPU seconds, bytes of memory and of output."""

STARTED = struct.Struct("<i")
"""The child's process id in the zygote's pid namespace; -1 when it could not be started, and the reason follows."""

ENDED = struct.Struct("<idd")
"""Exit code (negative: signal), CPU seconds, peak MiB."""

MODULES = """
abc array bisect builtins cmath collections collections.abc contextlib copy dataclasses datetime decimal enum fractions
functools gc hashlib heapq io itertools json math numbers operator os queue random re resource signal statistics string
struct sys textwrap threading time traceback types typing unicodedata warnings weakref zlib
"""
"""What solutions import; loaded before the fork, an import is free."""

RARE_MODULES = """
argparse ast asyncio base64 binascii calendar codecs concurrent.futures csv ctypes difflib html inspect ipaddress
keyword locale logging mmap multiprocessing multiprocessing.dummy pathlib pickle platform pprint sched select selectors
shutil socket sqlite3 subprocess tempfile timeit tokenize unittest unittest.mock urllib.parse uuid zoneinfo
"""
"""What few solutions import; a zygote with more to copy forks more slowly."""


class Zygote:
    """Forks children into a cell."""

    def __init__(self, channel: socket.socket, config: dict[str, Any]) -> None:
        """Loads the modules and enters the level's namespaces.

        Raises:
            OSError: the machine does not allow the level.
        """
        self.channel, self.level = channel, config["level"]
        self.how, self.run = syscalls.runner()
        self.namespace: int | None = None
        preload(config["modules"])
        packages = [Path(path) for path in config["packages"]]
        readable = layers.library_paths(packages)
        user = layers.free_user() if self.level == layers.FULL else None
        self.start_bytes = layers.address_space()
        version = 0 if self.level == layers.RLIMITS_ONLY else layers.landlock_version()
        if self.level == layers.FULL:
            self._enter(readable)
        if self.level == layers.NO_NAMESPACES:
            syscalls.emulate_lookup()
        self.cells = [
            layers.Cell(self.level, files=files, version=version, readable=readable, user=user)
            for files in (False, True)
        ]
        solution.prepare()
        solution.rehearse()
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Starts and ends children until the grader goes."""
        while True:
            request, ancillary, _, _ = self.channel.recvmsg(SPAWN.size, socket.CMSG_SPACE(5 * 4))
            if not request:
                return
            descriptors = _descriptors(ancillary)
            files, cpu_s, memory, output = SPAWN.unpack(request)
            self.cells[files].limit(cpu_s, memory + self.start_bytes, output)
            try:
                pid = self._spawn(self.cells[files], descriptors)
            except OSError as error:
                self.channel.send(STARTED.pack(-1) + str(error).encode("ascii", "replace"))
                return
            for descriptor in descriptors:
                os.close(descriptor)
            credentials = struct.pack("iII", pid, os.geteuid(), os.getegid())
            message = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)] if self.namespace is not None else []
            self.channel.sendmsg([STARTED.pack(pid)], message)
            if not self.channel.recv(16):
                return
            self.channel.send(_ended(pid))

    def _enter(self, readable: list[Path]) -> None:
        """Goes on in a child that is the first process of a new pid namespace."""
        layers.enter_namespaces()
        pid = os.fork()
        if pid:
            self.channel.close()
            os.waitpid(pid, 0)
            os._exit(0)
        die_with_parent()
        self.namespace = os.open("/proc/self/ns/pid", os.O_RDONLY)
        layers.change_root(readable)
        calls = syscalls.Calls()
        calls.add("setns", self.namespace, layers.CLONE_NEWPID)
        calls.add("unshare", layers.CLONE_NEWPID)
        self.renew = calls.packed()

    def _spawn(self, cell: layers.Cell, descriptors: list[int]) -> int:
        packed, names, ruleset = cell.packed, cell.names, None
        if len(descriptors) == 5:  # a scratch directory of the outer file system
            calls, ruleset = cell.with_directory(descriptors[4])
            packed, names = calls.packed()
        if self.namespace is not None:
            failed = syscalls.failure(self.renew[1], self.run(self.renew[0]))
            if failed:
                raise OSError(failed)
        pid = os.fork()
        if pid == 0:
            try:
                self._shut_in(packed, names, descriptors)
            finally:
                os._exit(1)
        if ruleset:
            ruleset.close()
        return pid

    def _shut_in(self, packed: bytes, names: list[str], descriptors: list[int]) -> None:
        """Runs in the child: its descriptors, its cell, then the code."""
        null = os.open(os.devnull, os.O_RDWR)  # of its own: what is set on it must not outlive the child
        for number, descriptor in enumerate([*descriptors[2:4], null, null, null][:3]):
            os.dup2(descriptor, number)
        if len(descriptors) == 5:
            os.fchdir(descriptors[4])
        os.dup2(descriptors[0], CHANNEL)
        os.dup2(descriptors[1], ANSWERS)
        failed = syscalls.failure(names, self.run(packed))
        os.write(CHANNEL, b"-" + failed.encode() if failed else b"+")
        if not failed:
            solution.serve(CHANNEL, ANSWERS)


def preload(modules: list[str]) -> None:
    """Imports modules that are there."""
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends."""
    syscalls.call("prctl", layers.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _ended(pid: int) -> bytes:
    os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return ENDED.pack(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    """Reads the configuration, says whether the level was reached, and serves."""
    die_with_parent()
    with socket.socket(fileno=CHANNEL) as channel:
        config = json.loads(channel.recv(2**16))
        sys.path[:] = [path for path in sys.path if not path.endswith("execution")] + config["path"]
        try:
            zygote = Zygote(channel, config)
        except OSError as error:
            channel.send(json.dumps({"failed": str(error)}).encode())
            return
        channel.send(json.dumps({"ready": True, "calls": zygote.how}).encode())
        zygote.serve()
