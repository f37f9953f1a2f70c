"""The line to a target: opened within a limit, bounded in what it carries, closed by force.

Execnet sends plain data in a format of its own, so nothing that arrives is unpickled or evaluated; and it refuses to
execute what the other side sends. Two things it does not do: give up on an interpreter that never answers, and refuse a
message that is larger than memory.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from subprocess import PIPE, Popen, TimeoutExpired
from types import SimpleNamespace
from typing import Any

import execnet
from execnet.gateway_base import ThreadExecModel

REPLY_BYTES = 256 << 20  # what a target may send in answer to one request
# A host that is gone says nothing: without these, ssh waits for it for minutes, and asks for a password.
_SSH = {"BatchMode": "yes", "ConnectTimeout": "15", "ServerAliveInterval": "5", "ServerAliveCountMax": "3"}


class TooMuch(EOFError):
    """The other side sends more than a reply may hold."""


class NoAnswer(RuntimeError):
    """The other side cannot be reached, or never says that it is there."""


class _Watched(ThreadExecModel):  # type: ignore[misc]
    """Execnet's own threads; it notes the process that is started, since one that never answers must be ended."""

    def __init__(self) -> None:
        self.process: Popen[bytes] | None = None

    @property
    def subprocess(self) -> Any:
        return SimpleNamespace(PIPE=PIPE, Popen=self._start)

    def _start(self, arguments: Any, **keywords: Any) -> Popen[bytes]:
        self.process = Popen(arguments, **keywords)
        return self.process


class Line:
    """One execnet gateway, and the local process at its end: the target itself, or the ssh that leads to it."""

    def __init__(self, gateway: str) -> None:
        self.gateway = _patient(gateway)
        self.group: Any = execnet.Group()
        self._model = _Watched()
        self.group.set_execmodel(self._model, "thread")
        self._left = REPLY_BYTES

    @property
    def process(self) -> Popen[bytes] | None:
        return self._model.process

    def open(self, limit: float) -> Line:
        """Connects, within so many seconds; :class:`NoAnswer` where that fails. Execnet itself would wait for ever."""
        made: list[Any] = []

        def make() -> None:
            try:
                made.append(self.group.makegateway(self.gateway))
            except BaseException as error:
                made.append(error)

        waiting = threading.Thread(target=make, daemon=True)
        waiting.start()
        waiting.join(limit)
        if made and not isinstance(made[0], BaseException):
            self._bound(made[0]._io)
            return self
        why = _why(made[0]) if made else f"no answer within {limit:g} s"
        self.close()
        raise NoAnswer(why)

    def execute(self, source: str) -> Any:
        """Runs source on the other side; the channel to it."""
        return self.group[0].remote_exec(source)

    def expect(self) -> None:
        """The next request begins: its reply may be as large as any."""
        self._left = REPLY_BYTES

    def _bound(self, io: Any) -> None:
        read = io.read

        def bounded(count: int) -> bytes:
            self._left -= max(count, 0)
            if self._left < 0 or count < 0:
                raise TooMuch(f"it sent more than {REPLY_BYTES >> 20} MiB in answer to one request")
            data: bytes = read(count)
            return data

        io.read = bounded

    def close(self) -> None:
        """Ends the process, by force where it does not listen."""
        process = self.process
        if process is not None and process.poll() is None:
            with contextlib.suppress(OSError, TimeoutExpired):
                process.kill()
                process.wait(5)
        with contextlib.suppress(Exception):
            self.group.terminate(timeout=1.0)
        atexit.unregister(self.group._cleanup_atexit)  # or it is kept until the end of the judge


def _patient(gateway: str) -> str:
    """The spec with options for ssh that the user has not set."""
    parts = gateway.split("//")
    for place, part in enumerate(parts):
        if part.startswith("ssh="):
            options = " ".join(f"-o {k}={v}" for k, v in _SSH.items() if k not in gateway)
            parts[place] = f"ssh={options} {part.removeprefix('ssh=')}"
    return "//".join(parts)


def _why(error: BaseException) -> str:
    if type(error).__name__ == "HostNotFound":
        return f"ssh cannot reach {str(error).split()[-1] if str(error) else 'it'} (its own message is above)"
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
