"""A running target: started, supervised, restarted. A dead or hung process is an outcome of the case that it ran."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import execnet

from conformance.targets.line import Line, NoAnswer, TooMuch
from conformance.targets.reply import Garbled, read
from conformance.targets.spec import TargetSpec

START_LIMIT = 180.0
FORKING = 5.0  # seconds that the target itself may need around cases that run apart
# Read, never imported: importing them would import torch.
_NAMES = ("tensors.py", "parts.py", "identities.py", "usages.py", "contexts.py", "functions.py", "misuses.py",
          "apart.py", "agent.py")  # fmt: skip
SHIPPED = [Path(__file__).with_name(name) for name in _NAMES]


Wired = tuple[dict[str, Any], list[bytes]]  # a case for the agent, and the bytes of its tensors


class TargetLost(RuntimeError):
    """The target cannot be started or has no such device; the message says why."""


class Target:
    """One interpreter x device x mode. :meth:`send_cases`, then :meth:`receive_cases`, so that several targets
    work at once."""

    def __init__(self, spec: TargetSpec, *, limit: float = 30.0, prelude: str = "", start: float = START_LIMIT) -> None:
        """``limit``: seconds that a case may take; ``start``: that the process may, until it is ready. ``prelude``:
        source that runs in the target before the agent."""
        self.spec = spec
        self.limit = limit
        self.prelude = prelude
        self.environment: dict[str, Any] = {}
        self.restarts = 0
        self._start_limit = start
        self._line: Line | None = None
        self._channel: Any = None
        self._cases: list[Wired] = []
        self._fresh: Target | None = None
        self._forks = False

    def launch(self) -> None:
        """Begins to start the process and returns at once; :meth:`connect` waits for it."""
        text = self.spec.gateway
        if "OMP_NUM_THREADS" not in text:  # one core a target: workers and targets share the machine
            text += "//env:OMP_NUM_THREADS=1//env:MKL_NUM_THREADS=1"
        try:
            self._line = Line(text).open(self._start_limit)
            self._channel = self._line.execute("\n".join([_QUIET, self.prelude]) if self.prelude else _QUIET)
            self._channel.waitclose(self._start_limit)
            self._channel = self._line.execute(_shipped())
            self._send("hello", self.spec.device, self.spec.mode)
        except (Exception, NoAnswer) as error:
            self.close()
            raise TargetLost(f"{self.spec.text}: cannot start {self.spec.gateway}: {_reason(error)}") from error

    def connect(self) -> None:
        """Waits for the process; :class:`TargetLost` where it lacks torch or the device."""
        try:
            answer = read(self._channel.receive(self._start_limit), 0)
        except execnet.TimeoutError:
            self.close()
            raise TargetLost(f"{self.spec.text}: {self.spec.gateway} is not ready after {self._start_limit:g} s; "
                             "does it run torch?") from None  # fmt: skip
        except (EOFError, execnet.RemoteError, Garbled) as error:
            died = "" if isinstance(error, execnet.RemoteError) else self._cause_of_death(error)
            self.close()
            said = f"{self.spec.text}: {self.spec.gateway} cannot run torch: {died or _reason(error)}"
            raise TargetLost(said) from error
        if not isinstance(answer.get("environment"), dict) or "torch" not in answer["environment"]:
            self.close()
            raise TargetLost(f"{answer.get('absent') or answer.get('broken')}")
        self.environment = answer["environment"]
        self._forks = answer.get("forks") is True

    def start(self) -> Target:
        self.launch()
        self.connect()
        return self

    @property
    def release(self) -> str:
        """The torch release without its local part, ``2.13.0``."""
        return str(self.environment["torch"]).partition("+")[0]

    @property
    def pid(self) -> int | None:
        """The local process: the target's own or, for a remote one, that of the line to it."""
        return self._line.process.pid if self._line and self._line.process else None

    def execute(self, source: str) -> None:
        """Runs source in the process, beside the agent that serves it, and in the fresh one if there is one."""
        if self._line is None:
            self.start()
        assert self._line is not None
        self._line.execute(source).waitclose(60)
        if self._fresh is not None:
            self._fresh.execute(source)

    def send_cases(self, cases: list[Wired], apart: bool = False) -> None:
        """Hands the target some cases, to be executed in their order; :meth:`receive_cases` hears of them. ``apart``:
        each in a process of its own, where the target can be forked; for those that may kill it."""
        self._cases = cases
        if self._channel is None:
            self.start()
        if cases:
            limit = self.limit if apart else None
            self._send("run", [wire for wire, _ in cases], limit, blobs=[blobs for _, blobs in cases])

    def receive_cases(self) -> list[dict[str, Any]]:
        """What happened, case by case. ``crashed`` and ``hung`` are outcomes too. A death is blamed on a case only if
        it repeats with that case alone in a fresh process: memory that one case corrupts may kill the process in
        the middle of another."""
        answer = self._receive() if self._cases else {"answers": []}
        if "answers" not in answer:
            answer = self._repeat(self._cases)
        if "answers" not in answer:  # it cannot be forked
            return [answer] if len(self._cases) == 1 else [self._alone(case) for case in self._cases]
        answers: list[dict[str, Any]] = answer["answers"]
        return answers

    def again(self, case: Wired, times: int) -> list[dict[str, Any]]:
        """What the case does in a process that has run nothing else: each time in a fork of one that is kept for this,
        or, where it cannot be forked, all times in a new one."""
        fresh = self.keep_fresh()
        try:
            fresh.limit = self.limit
            fresh.send_cases([case] * times, apart=True)
            return fresh.receive_cases()
        finally:
            if not fresh._forks:
                self._forget()

    def keep_fresh(self) -> Target:
        """The process in which cases are run again; started at the first asking."""
        if self._fresh is None:
            self._fresh = Target(self.spec, limit=self.limit, prelude=self.prelude, start=self._start_limit).start()
        return self._fresh

    def _repeat(self, cases: list[Wired]) -> dict[str, Any]:
        self.send_cases(cases, apart=True)
        return self._receive(self.limit * len(cases) + FORKING)

    def _alone(self, case: Wired) -> dict[str, Any]:
        """The outcome of one case; what it dies of is believed the second time."""
        for _ in range(2):
            answer = self._repeat([case])
            if "answers" in answer:
                first: dict[str, Any] = answer["answers"][0]
                return first
        return answer

    def ask(self, request: str, *arguments: Any) -> dict[str, Any]:
        """One request and its answer."""
        if self._channel is None:
            self.start()
        self._send(request, *arguments)
        return self._receive()

    def _send(self, request: str, *arguments: Any, blobs: Any = None) -> None:
        """The request, and the seconds after which the process ends itself: if the line is cut, nobody else can."""
        if self._line is not None:
            self._line.expect()
        within = START_LIMIT if request == "hello" else self.limit * max(len(blobs or ()), 1) + 2 * FORKING
        with contextlib.suppress(OSError):  # a process that died meanwhile is noticed by receiving
            self._channel.send((request, json.dumps(arguments), blobs or [], within))

    def _receive(self, within: float | None = None) -> dict[str, Any]:
        try:
            answer = read(self._channel.receive(within or self.limit), len(self._cases))
        except execnet.TimeoutError:
            outcome = {"status": "hung", "message": f"no answer within {self.limit:g} s"}
        except Garbled as error:
            outcome = {"status": "crashed", "message": f"its reply makes no sense: {error}"}
        except (EOFError, execnet.RemoteError) as error:
            outcome = {"status": "crashed", "message": self._cause_of_death(error)}
        else:
            if "broken" in answer:
                raise RuntimeError(f"the agent in {self.spec.text} failed, a defect of the suite:\n{answer['broken']}")
            poisoned = [seen for seen in answer.get("answers", ()) if seen.get("poisoned")]
            for seen in poisoned:
                seen.update(status="crashed", message=f"the context of the device was lost: {seen.get('message')}")
            if not poisoned or (within and self._forks):
                return answer
            outcome = {"status": "crashed", "message": poisoned[0]["message"]}
        self._end()
        self.restarts += 1
        return {"phase": "call", "warnings": [], "seconds": 0.0, **outcome}

    def _cause_of_death(self, error: Exception) -> str:
        """The signal that ended a local process; a remote one only tells that the line went dead."""
        process = self._line.process if self._line else None
        if isinstance(error, (TooMuch, Garbled)):
            return f"its reply makes no sense: {error}"
        if process is None or isinstance(error, execnet.RemoteError):  # the agent ended, its process did not
            return f"the connection ended: {_reason(error)}"
        try:
            code = process.wait(5)
        except subprocess.TimeoutExpired:
            return f"the connection ended: {_reason(error)}"
        return f"the process died of {signal.Signals(-code).name}" if code < 0 else f"the process exited with {code}"

    def close(self) -> None:
        """Ends the process, by force where it does not listen. Safe to call twice."""
        self._forget()
        self._end()

    def _end(self) -> None:
        line, self._line, self._channel = self._line, None, None
        if line is not None:
            line.close()

    def _forget(self) -> None:
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            fresh.close()


# A user's code, or torch's, may print; nothing of it may reach the judge's terminal in the middle of a line.
# (Its file descriptor 1 is no matter: execnet keeps its own stream elsewhere.) Importing torch may warn.
# What torch itself writes to file descriptor 2 while it starts would come again with every restarted process.
_QUIET = """
import os, sys, warnings
warnings.simplefilter("ignore")
sys.stdout = sys.stderr
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
"""


@cache
def _shipped() -> str:
    """The sources that run in a target, one after another in the same namespace."""
    files = [(path.name, path.read_text(encoding="utf-8")) for path in SHIPPED]
    return "\n".join(f"exec(compile({text!r}, {name!r}, 'exec'), globals())" for name, text in files)


def _reason(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def start_all(targets: list[Target]) -> dict[str, str]:
    """Starts all targets side by side; the name of each that could not be had -> why."""
    lost: dict[str, str] = {}
    for step in (Target.launch, Target.connect):
        for target in targets:
            if target.spec.name not in lost:
                try:
                    step(target)
                except TargetLost as error:
                    lost[target.spec.name] = str(error)
    return lost
