"""One run at a time in a report directory: the second would write into the files of the first."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows; there, two runs in one directory are not noticed
    fcntl = None  # type: ignore[assignment]


class LockError(ValueError):
    """The directory cannot be written, or another run writes it; the message says which and what to do."""


class Lock:
    """Held while a run writes a directory. The system gives it back when the process ends, however it ends, so a lock
    file that was left behind locks nothing."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / ".lock"
        self._file: int | None = None

    def take(self) -> None:
        """Raises :class:`LockError` where another process holds it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while not self._taken():
                pass
        except BlockingIOError:
            raise LockError(f"{self.path.parent} is being written by another run ({self._holder()}); wait for it, or "
                            "pass another --report DIR") from None  # fmt: skip
        except OSError as error:
            said = error.strerror or error
            raise LockError(f"{self.path.parent} cannot be written ({said}); pass another --report DIR") from None

    def _taken(self) -> bool:
        """Whether the file that is locked is still the one of this name: its last holder removes it."""
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if fcntl:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._file)
                self._file = None
                raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._file), self.path.stat()):
                with contextlib.suppress(OSError):  # the disk is full: the lock holds all the same
                    os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
                return True
        os.close(self._file)
        return False

    def _holder(self) -> str:
        with contextlib.suppress(OSError):
            return self.path.read_text(encoding="utf-8").strip() or "its process is not known"
        return "its process is not known"

    def release(self) -> None:
        """Safe to call twice."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._file)
            self._file = None
