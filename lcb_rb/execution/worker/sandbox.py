"""The grader's side of a zygote: has children started and ended."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import layers
from .child import Child
from .errors import SandboxError
from .scratch import scratch_directory
from .watch import Limits
from .zygote import ANSWERS, CHANNEL, ENDED, MODULES, SPAWN, STARTED

ENVIRONMENT = {
    **{"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the other reserves 1 GiB at once, which may be all that a child may have
}
"""Of a zygote while it loads modules; its children see none of it."""

START_S = 60.0
"""Time that a zygote may take to start, on the busiest machine."""


class Zygote:
    """A running zygote; starts one child at a time."""

    def __init__(
        self,
        level: str,
        packages: Sequence[str] = (),
        modules: Sequence[str] = (),
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        """Starts the process.

        Args:
            level: One of the three levels.
            packages: Directories and files outside the standard library that a child may import.
            modules: Of those, what to load before the fork.
            on_idle: Called when a child sleeps.

        Raises:
            SandboxError: it does not start, or the machine does not allow the level.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel, self.level, self.on_idle = ours, level, on_idle
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        root = str(Path(__file__).parent.parent)
        # hooks at fork, such as seeding `random`, only cost time: none may be registered
        start = "import os; os.register_at_fork = lambda **hooks: None\n"
        start += (
            f"import sys; os.dup2({theirs.fileno()}, {CHANNEL}); os.dup2(0, {ANSWERS}); sys.path.insert(0, {root!r})"
        )
        start += "; from worker.zygote import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-B", "-P", "-X", "utf8", "-c", start],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd="/",
            env=ENVIRONMENT,
        )
        theirs.close()
        config = {
            "level": level,
            "packages": list(packages),
            "path": sorted({str(Path(package).parent) for package in packages}),
            "modules": [*MODULES.split(), *modules],
        }
        ours.send(json.dumps(config).encode())
        ours.settimeout(START_S)
        try:
            reply = json.loads(ours.recv(2**16) or b"{}")
        except TimeoutError:
            reply = {"failed": f"no answer in {START_S:g} s"}
        ours.settimeout(None)
        if not reply.get("ready"):
            self.close()
            raise SandboxError(reply.get("failed", "the zygote ended at its start"))
        self.calls: str = reply["calls"]

    def close(self) -> None:
        """Ends the process and its child."""
        self.channel.close()
        self._process.kill()
        self._process.wait()

    @contextmanager
    def child(self, limits: Limits, tests: int, *, files: bool, streams: bool) -> Iterator[Child]:
        """Yields a fresh child, which is ended afterwards.

        Args:
            limits: Of one test.
            tests: How many tests it may be given.
            files: Whether it gets a scratch directory.
            streams: Whether it gets files for standard input and output.

        Raises:
            SandboxError: the zygote is gone.
        """
        with contextlib.ExitStack() as stack:
            directory = None
            if files and self.level != layers.FULL:
                directory = stack.enter_context(scratch_directory())
            ours, theirs = socket.socketpair()
            names = ("answers", "stdin", "stdout") if streams or directory else ("answers",)
            memory = [os.memfd_create(name, os.MFD_CLOEXEC) for name in names]
            inherited = [theirs.fileno(), *memory]
            if directory:
                inherited.append(os.open(directory, os.O_PATH | os.O_DIRECTORY))
            cpu_s = int(limits.cpu_s * (tests + 1)) + 5
            request = SPAWN.pack(files, cpu_s, limits.memory_mb * 2**20, limits.output_mb * 2**20)
            try:
                socket.send_fds(self.channel, [request], inherited)
            except OSError as error:
                raise SandboxError(f"the zygote is gone ({error})") from error
            finally:
                theirs.close()
                if directory:
                    os.close(inherited[-1])
            child = Child(self, ours, memory, limits, directory, limits.wall_s * (tests + 1))
            try:
                yield child
            finally:
                child.close()
                for descriptor in memory:
                    os.close(descriptor)

    def started(self) -> int:
        """Returns the pid of the child that was asked for.

        Raises:
            SandboxError: the zygote is gone.
        """
        size = struct.calcsize("iII")
        with self._watched():
            text, ancillary, _, _ = self.channel.recvmsg(512, socket.CMSG_SPACE(size))
        if not text:
            raise SandboxError("the zygote is gone")
        pid = int(STARTED.unpack_from(text)[0])
        if pid < 0:
            raise SandboxError(f"no child could be started: {text[STARTED.size :].decode('ascii', 'replace')}")
        if self.level != layers.FULL:
            return pid
        for level, kind, data in ancillary:  # the kernel has made it a number of our own pid namespace
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                return int(struct.unpack("iII", data[:size])[0])
        raise SandboxError("the zygote did not say which process it started")

    def ended(self) -> tuple[int, float, float]:
        """Returns exit code, CPU seconds and peak MiB of the child, which is killed if it still runs."""
        with self._watched():
            self.channel.send(b"end")
            reply = self.channel.recv(64)
        if len(reply) != ENDED.size:
            raise SandboxError("the zygote is gone")
        code, cpu_s, peak_mb = ENDED.unpack(reply)
        return code, cpu_s, peak_mb

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self.channel.settimeout(START_S)
        try:
            yield
        except OSError as error:
            raise SandboxError(f"the zygote does not answer ({error})") from error
        finally:
            self.channel.settimeout(None)
