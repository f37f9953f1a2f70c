"""What a target says is data from a process that may have gone mad: nothing of it is believed or executed unseen."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.targets import Target, TargetLost, TargetSpec, line
from conformance.targets.reply import Garbled, read
from conformance.wire import to_wire
from tests.test_targets import LINEAR, case, executed

REPLIES = 2000


@pytest.fixture(scope="module")
def answered(shared_target: Target) -> tuple[str, list[list[bytes]]]:
    """A reply as the agent sends it."""
    seen = executed(shared_target, case(), case(2))
    blobs = [one.pop("blobs") for one in seen]
    return json.dumps({"answers": seen}), blobs


# -- corrupted on the way ----------------------------------------------------------------------------------------------

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 1 << 70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6,
)  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ()
    return [path, *(place for key in keys for place in places(node[key], (*path, key)))]


def changed(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    node = copy.copy(node)
    node[path[0]] = changed(node[path[0]], path[1:], value)
    return node


@settings(max_examples=REPLIES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(data=st.data())
def test_a_reply_with_anything_changed_is_understood_or_refused(answered, data):
    text, blobs = answered
    tree = [json.loads(text), blobs]
    tree = changed(tree, data.draw(st.sampled_from(places(tree)[1:])), data.draw(plain | st.binary(max_size=9)))
    try:
        answer = read((json.dumps(tree[0]), tree[1]), 2)
    except (Garbled, TypeError) as refused:
        assert isinstance(refused, Garbled) or "JSON serializable" in str(refused)  # bytes where the sender has none
    else:
        for seen in answer.get("answers", ()):
            assert seen["status"] in ("ok", "raised", "crashed", "hung", "unsupported")


@settings(max_examples=REPLIES, deadline=None, database=None)
@given(message=plain | st.tuples(st.text() | st.binary(), plain) | st.tuples(plain.map(json.dumps), plain))
def test_what_is_no_reply_is_refused(message):
    try:
        assert "answers" not in read(message, 1)
    except Garbled as refused:
        assert str(refused)


# -- and in the conversation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("json.dumps = lambda answer: real(answer)[:-9]", "its reply makes no sense: it is not JSON"),
        ("json.dumps = lambda answer: real({'answers': []})", "its reply makes no sense: it does not answer to 1 cases"),
        ("json.dumps = lambda answer: real(answer).replace('[2, 2]', '[2, 3]')",
         "its reply makes no sense: a tensor of shape [2, 3] and dtype float32 has 16 bytes"),
        ("json.dumps = lambda answer: 'x' * (2 << 20)",
         "its reply makes no sense: it sent more than 1 MiB in answer to one request"),
    ],
    ids=["corrupted", "of-the-wrong-number", "of-the-wrong-size", "too-large"],
)  # fmt: skip
def test_a_reply_that_makes_no_sense_is_an_outcome_of_the_case(fault, said, own_target, monkeypatch):
    monkeypatch.setattr(line, "REPLY_BYTES", 1 << 20)
    plant = f"import json\nreal = getattr(json, 'real', json.dumps)\njson.real = real\n{fault}"
    own_target.prelude = f"import builtins\nbuiltins.fault = {plant!r}"
    own_target.execute(plant)
    own_target.send_cases([to_wire(LINEAR, case())])
    seen = own_target._receive()
    assert (seen["status"], seen["message"][: len(said)]) == ("crashed", said)
    assert own_target.pid is None
    own_target.prelude = ""
    assert executed(own_target, case())[0]["status"] == "ok"


def test_nothing_that_a_target_sends_is_executed(own_target: Target, tmp_path):
    """Execnet could: it is the way in which the judge itself tells a target what to run."""
    own_target.execute(
        "g = type(channel.gateway)._send.__globals__\n"
        f"task = g['dumps_internal']((\"open({str(tmp_path / 'written')!r}, 'w')\", None, None, {{}}))\n"
        "channel.gateway._send(g['Message'].CHANNEL_EXEC, 98, task)"
    )
    assert executed(own_target, case())[0]["status"] == "ok"
    assert not (tmp_path / "written").exists()


def test_a_context_that_one_case_poisons_is_blamed_on_that_case_alone(own_target: Target):
    """As a device-side assertion does: from then on every call fails, until there is a new process."""
    own_target.prelude = (
        "import torch\noriginal, zeros, dead = torch.nn.Linear.forward, torch.zeros, []\n"
        "def check(*a, **k):\n    if dead: raise RuntimeError('CUDA error: device-side assert triggered')\n"
        "def forward(self, input):\n    dead.extend([1] * (self.in_features == 2))\n    check()\n"
        "    return original(self, input)\n"
        "def made(*a, **k):\n    check()\n    return zeros(*a, **k)\n"
        "torch.nn.Linear.forward, torch.zeros = forward, made"
    )
    own_target.execute(own_target.prelude)
    seen = executed(own_target, case(1), case(2), case(3))
    assert [one["status"] for one in seen] == ["ok", "crashed", "ok"]
    assert seen[1]["message"] == "the context of the device was lost: CUDA error: device-side assert triggered"


# -- starting ----------------------------------------------------------------------------------------------------------

SILENT = "#!/bin/sh\nexec sleep 600\n"
TORCHES = {
    "broken": ("raise ImportError('libtorch_cpu.so: undefined symbol: _ZN2at4_ops')", "undefined symbol"),
    "too old": ("__version__ = '0.4.1'", "torch"),
    "dead": ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "the process died of SIGILL"),
}


@pytest.mark.parametrize("kind", TORCHES)
def test_a_torch_that_cannot_be_used_is_said_to_be_the_reason(kind: str, planted_python):
    source, said = TORCHES[kind]
    with pytest.raises(TargetLost, match=f"cannot run torch: .*{said}"):
        Target(TargetSpec.parse("cpu", planted_python(torch=source))).start()


def test_an_interpreter_that_never_answers_is_given_up_and_ended(tmp_path):
    python = tmp_path / "python"
    python.write_text(SILENT)
    python.chmod(0o755)
    target = Target(TargetSpec.parse("cpu", str(python)), start=1.0)
    with pytest.raises(TargetLost, match="cannot start .*: no answer within 1 s"):
        target.start()
    assert target.pid is None


def test_a_torch_that_takes_too_long_to_start_is_given_up(planted_python):
    python = planted_python(torch="import time; time.sleep(600)")
    with pytest.raises(TargetLost, match=r"is not ready after 1\.5 s"):
        Target(TargetSpec.parse("cpu", python), start=1.5).start()
