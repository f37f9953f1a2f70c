"""A case in a process of its own: a fork of the target, which dies in its place. Shipped to the target.

A new process that imports torch takes a second, a fork a few milliseconds: what kills is found, made smaller and shown
again by dozens of deaths. Like the agent it needs the standard library alone and keeps to what Python 3.8 knows.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any


def forks(device: str, mode: str) -> bool:
    """Whether a fork of this process can go on: a device's context cannot, nor can a compiler's helpers."""
    return hasattr(os, "fork") and device.partition(":")[0] in ("cpu", "meta") and mode != "compile"


def ends_in(seconds: float) -> None:
    """Lets the system end this process after so many seconds, whatever it is at; 0 takes that back."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def apart(work: Callable[[], Any], limit: float) -> Any:
    """What ``work`` gives in a fork, which may take ``limit`` seconds; its death or its silence is an outcome too."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reading)
            ends_in(limit + 5)
            _write(writing, *work())
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        finally:
            os._exit(code)  # nothing of what the target would do at its end
    os.close(writing)
    told = _read(reading, time.monotonic() + limit)
    os.close(reading)
    if told is None:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if told is None:
        return _ended("hung", f"no answer within {limit:g} s")
    if os.WIFSIGNALED(status):
        return _ended("crashed", f"the process died of {signal.Signals(os.WTERMSIG(status)).name}")
    if not told:
        return _ended("crashed", f"the process exited with {os.WEXITSTATUS(status)}")
    text, _, rest = told.partition(b"\n")
    seen, sizes = json.loads(text)
    blobs, start = [], 0
    for size in sizes:
        blobs.append(rest[start : start + size])
        start += size
    return seen, blobs


def _ended(status: str, message: str) -> Any:
    return {"status": status, "message": message, "phase": "call", "warnings": [], "seconds": 0.0}, []


def _write(to: int, seen: dict[str, Any], blobs: list[bytes]) -> None:
    with os.fdopen(to, "wb") as pipe:
        pipe.write(json.dumps([seen, [len(blob) for blob in blobs]]).encode() + b"\n")
        for blob in blobs:
            pipe.write(blob)


def _read(source: int, deadline: float) -> bytes | None:
    """Everything until the other side ends; None where that takes too long."""
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([source], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            return None
        part = os.read(source, 1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
