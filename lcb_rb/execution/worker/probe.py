"""Tries, as a solution would, what the layers forbid; runs inside the sandbox when an executor starts."""

# mypy: ignore-errors

import ctypes
import os
import resource
import socket
import sys


def probe(layer):
    """Raises an error that names what worked although the layer forbids it."""
    worked = [name for name, action in TRIES[layer].items() if succeeds(action)]
    if worked:
        raise RuntimeError(f"possible: {', '.join(worked)}")


def succeeds(action):
    """Returns whether an action is not refused."""
    try:
        return action() is not False
    except OSError:
        return False


def syscall(number, *arguments):
    """Makes a system call."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def fork():
    """Starts a process."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


ARM = os.uname().machine == "aarch64"


def raise_limit():
    """Returns whether there is no limit of memory, or it can be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        return True
    try:
        resource.setrlimit(resource.RLIMIT_AS, (hard * 2, hard * 2))
    except ValueError:
        return False
    return True


def memory():
    """Returns whether 64 GiB can be had."""
    try:
        bytearray(2**36)
    except MemoryError:
        return False
    return True


TRIES = {
    "namespaces": {
        "a process id of the outside": lambda: os.getpid() != 1 and None,
        "a directory of the outside": lambda: bool({"proc", "sys"} & set(os.listdir("/"))),
    },
    "landlock": {
        "reading /etc/passwd": lambda: open("/etc/passwd").close(),
        "writing beside the library": lambda: open(os.__file__ + ".new", "w").close(),
        "listing /": lambda: "etc" in os.listdir("/") and "passwd" in os.listdir("/etc"),
    },
    "seccomp": {
        "a socket": lambda: socket.socket().close(),
        "a new process": fork,
        "another program": lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
        "a signal to the parent": lambda: os.kill(os.getppid() or -1, 0),
        "a new user namespace": lambda: syscall(97 if ARM else 272, 0x10000000),
        "tracing": lambda: syscall(117 if ARM else 101, 16, os.getppid() or 1, 0, 0),
    },
    "privileges": {
        "becoming root": lambda: os.setuid(0),
        "a mount": lambda: syscall(40 if ARM else 165, b"none", b"/", b"tmpfs", 0, 0),
    },
    "rlimits": {
        "a larger limit": raise_limit,
        "64 GiB of memory": memory,
    },
}
