"""The ground of the range: its own folders and network, the victims and listeners, and the watch over them.

Only for use inside the namespaces that `attack_range.shoot` unshares.
"""

import ctypes
import fcntl
import hashlib
import json
import os
import select
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

Case = dict[str, Any]
ROOT = Path(__file__).parents[1]
VICTIM = Path("/tmp/attack_victim")
DROP = Path("/tmp/attack_drop")
TOKEN = "hf_canary_TOKEN"
DEADLINE_S = 20
"""Wall time in which a case and its followers must be graded; the limit for one sample is far below."""
MS_BIND, MS_REC = 4096, 16384


class Watch:
    """What can be seen of one case from outside its worker."""

    def __init__(self, worker: "subprocess.Popen[bytes]") -> None:
        self.worker = worker
        self.processes = self.threads = self.rss_mb = self.disk_mb = 0.0
        self.start = time.monotonic()
        self.base = (len(processes()), disk_mb())

    def answer(self) -> tuple[list[Case], str]:
        """Returns the worker's results, or none and why."""
        while time.monotonic() - self.start < DEADLINE_S:
            ready = select.select([self.worker.stdout], [], [], 0.02)[0]
            self.look()
            if ready:
                line = self.worker.stdout.readline()
                return (json.loads(line), "") if line else ([], f"the grader died ({self.worker.wait()})")
        return [], f"no verdict in {DEADLINE_S} s"

    def look(self) -> None:
        """Notes the highest use so far."""
        found = processes()
        self.processes = max(self.processes, len(found) - self.base[0])
        self.rss_mb = max(self.rss_mb, *found.values())
        with suppress(OSError):  # a process has ended meanwhile
            self.threads = max(self.threads, sum(1 for _ in Path("/proc").glob("[0-9]*/task/[0-9]*")))
        self.disk_mb = max(self.disk_mb, disk_mb() - self.base[1])

    def probe(self, probe: Case | None) -> list[str]:
        """Returns the side effect that a case's probe finds."""
        most = (probe or {}).get("max", 0)
        match probe:
            case {"type": "drop", "prefix": prefix}:
                fired = any(DROP.glob(f"{prefix}*")) or any((VICTIM / "drop").glob(f"{prefix}*"))
            case {"type": "exists", "path": path}:
                fired = Path(path).exists()
            case {"type": "missing", "path": path}:
                fired = not Path(path).exists()
            case {"type": "threads"}:
                fired = self.threads > most
            case {"type": "procs"}:
                fired = self.processes > most
            case {"type": "maxrss_mb"}:
                fired = self.rss_mb > most
            case {"type": "disk_mb"}:
                fired = self.disk_mb > most
            case None:
                fired = False
        use = (
            f"{self.processes:.0f} processes, {self.threads} threads, {self.rss_mb:.0f} MB, disk {self.disk_mb:.0f} MB"
        )
        return [f"probe {json.dumps(probe)} fired ({use})"] if fired else []


def processes() -> dict[int, float]:
    """Returns the resident memory in MB of each process in the range."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/statm"):
        with suppress(OSError):  # it has just ended
            found[int(path.parent.name)] = int(path.read_text().split()[1]) * 4096 / 2**20
    return found


def disk_mb() -> float:
    """Returns what lies in the range's writable folders."""
    seen = [os.statvfs(folder) for folder in ("/tmp", "/dev/shm", "/var/tmp")]
    return sum((found.f_blocks - found.f_bfree) * found.f_frsize for found in seen) / 2**20


def prepare(*, protected: bool) -> None:
    """Gives the range its own temporary folders and network, and ordinary users a way to the interpreter.

    Where no executor protects the machine from root's programs, all that is mounted is read-only but those folders.
    """
    if not protected:
        attributes = struct.pack("4Q", 1, 0, 0, 0)  # MOUNT_ATTR_RDONLY
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(442, -100, b"/", 0x8000, attributes, len(attributes)):  # mount_setattr, AT_RECURSIVE
            raise OSError(ctypes.get_errno(), "the root cannot be made read-only")
    keep = [Path(sys.base_prefix), Path(sys.prefix), ROOT]
    for folder in ("/tmp", "/dev/shm", "/var/tmp"):
        cover(Path(folder), keep, "mode=1777,size=1g")
    for path in keep:  # as when the interpreter lies in /root, which only root may enter
        closed = [folder for folder in path.parents[::-1] if not folder.stat().st_mode & stat.S_IXOTH]
        for folder in closed[:1]:
            cover(folder, keep, "mode=755")
    with socket.socket() as link:
        fcntl.ioctl(link, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def cover(folder: Path, keep: list[Path], options: str) -> None:
    """Mounts an empty tmpfs over a folder; the trees in `keep` that lie in it stay where they are."""
    inner = {path: os.open(path, os.O_PATH) for path in keep if path.is_relative_to(folder)}
    mount("tmpfs", folder, 0, options)
    for path, handle in inner.items():
        if not path.exists():
            path.mkdir(parents=True)
            mount(f"/proc/self/fd/{handle}", path, MS_BIND | MS_REC, "")


def mount(source: str, target: Path, flags: int, options: str) -> None:
    """mount(2): unlike the command it can take a tree that is covered by now, by its descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), bytes(target), b"tmpfs", ctypes.c_ulong(flags), options.encode()):
        raise OSError(ctypes.get_errno(), f"mount {target}")


def lay_out(owner: int) -> None:
    """Restores the victims: secrets, files to destroy, folders to write to."""
    for folder in (VICTIM, DROP):
        for path in folder.glob("*"):
            if not path.is_socket():  # the listener keeps it
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in (".ssh", "drop", "rmtree_me"):
        (VICTIM / name).mkdir(parents=True)
    DROP.mkdir(exist_ok=True)
    for path in ("/dev/shm/fill.bin",):
        Path(path).unlink(missing_ok=True)
    texts = {".ssh/id_rsa": "CANARY KEY\n", "token": TOKEN, "rmtree_me/keep": "keep\n"}
    texts |= {f"precious{number}": "precious\n" for number in range(1, 10)}
    for name, text in texts.items():
        (VICTIM / name).write_text(text, encoding="utf-8")
    for path in (DROP, VICTIM, *VICTIM.rglob("*")):
        os.chown(path, owner, owner)


def victims() -> dict[str, tuple[object, ...]]:
    """Returns what must stay as it is of each victim: kind, owner, links, times, attributes, content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in VICTIM.rglob("*"):
        seen = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (seen.st_mode, seen.st_uid, seen.st_nlink, seen.st_ctime_ns, os.listxattr(path), content)
    return found


def listen(stack: ExitStack) -> set[str]:
    """Opens the listeners and returns the set to which they add the names of those that were reached."""
    heard: set[str] = set()
    VICTIM.mkdir()
    places: list[tuple[int, int, Any]] = [
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 47123)),
        (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 47124)),
        (socket.AF_UNIX, socket.SOCK_STREAM, str(VICTIM / "unix.sock")),
        (socket.AF_UNIX, socket.SOCK_DGRAM, str(VICTIM / "dgram.sock")),
        (socket.AF_UNIX, socket.SOCK_STREAM, "\0attack-victim-abstract"),
        (socket.AF_UNIX, socket.SOCK_DGRAM, "\0attack-victim-dgram"),
    ]
    for family, kind, address in places:
        listener = stack.enter_context(socket.socket(family, kind))
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        threading.Thread(target=hear, args=(listener, repr(address), heard), daemon=True).start()
    return heard


def hear(listener: socket.socket, name: str, heard: set[str]) -> None:
    """Adds the name whenever someone connects or sends."""
    while True:
        listener.accept() if listener.type == socket.SOCK_STREAM else listener.recv(100)
        heard.add(name)


def leftovers() -> set[str]:
    """Returns what lies in the range's writable folders, victims aside."""
    folders = map(Path, ("/tmp", "/dev/shm", "/var/tmp"))
    return {str(path) for folder in folders for path in folder.iterdir() if path not in (VICTIM, DROP)}
