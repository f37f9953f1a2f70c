"""Commas make one target of several places, for capacity; repeating the option makes several targets, for comparison."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conformance.recorder import Recorder
from conformance.results import TargetRecord
from conformance.targets import SpecError, TargetSpec, numbered

PYTHON = "/p"


@pytest.mark.parametrize(
    ("text", "name", "places"),
    [
        ("cuda:0,cuda:1", "cuda", ["cuda:0", "cuda:1", "cuda:0"]),
        ("ssh=a::cuda:1,ssh=b::cuda:1", "cuda:1", ["cuda:1", "cuda:1", "cuda:1"]),
        ("farm=cuda:2,cuda:3,cuda:5", "farm", ["cuda:2", "cuda:3", "cuda:5"]),
        ("cuda:0+no_grad,cuda:1+no_grad", "cuda+no_grad", ["cuda:0", "cuda:1", "cuda:0"]),
        ("popen//python=/a,b/python::cpu", "cpu", ["cpu", "cpu", "cpu"]),
    ],
)
def test_workers_take_the_places_of_a_pool_in_turn_under_one_name(text, name, places):
    spec = TargetSpec.parse(text, PYTHON)
    members = [spec.member(worker) for worker in range(3)]
    assert (spec.name, [member.device for member in members]) == (name, places)
    assert {member.name for member in members} == {name}
    assert {member.mode for member in members} == {spec.mode}


def test_a_worker_reaches_the_host_of_its_place():
    spec = TargetSpec.parse("ssh=a//python=/x::cuda:0,ssh=b//python=/y::cuda:0", PYTHON)
    assert [spec.member(worker).gateway for worker in (0, 1, 2)] == [
        "ssh=a//python=/x", "ssh=b//python=/y", "ssh=a//python=/x",
    ]  # fmt: skip


def test_two_targets_are_two_names():
    specs = numbered([TargetSpec.parse(text, PYTHON) for text in ("ssh=a::cuda:0", "ssh=b::cuda:0")])
    assert [spec.name for spec in specs] == ["cuda:0", "cuda:0@2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cuda:0,cpu", "must be of one kind and mode, not cpu and cuda:0; repeat --target to compare them"),
        ("cuda:0,cuda:1+compile", "must be of one kind and mode"),
        ("cuda:0,cuda:0", "a device is named twice"),
        ("cuda:0,", "is not a device"),
    ],
)
def test_what_is_no_pool_is_refused_with_what_to_write(text: str, said: str):
    with pytest.raises(SpecError, match=said):
        TargetSpec.parse(text, PYTHON)


def record(**environment: Any) -> TargetRecord:
    return TargetRecord("cuda", "a,b", "ssh=a", "cuda:0", "eager", True, environment=environment)


@pytest.fixture
def recorder(tmp_path) -> Recorder:
    return Recorder(SimpleNamespace(report=str(tmp_path)), SimpleNamespace())  # type: ignore[arg-type]


def test_places_that_turn_out_to_differ_make_the_target_lost(recorder):
    recorder._meet(record(torch="2.13.0", device="cuda:0"))
    recorder._meet(record(torch="2.14.0", device="cuda:1"))
    known = recorder.targets["cuda"]
    assert (known.status, known.reason) == ("lost", "its processes differ in torch; name them as targets of their own")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_whoever_reports_first_the_environment_of_a_pool_is_the_same(recorder, order):
    told = [record(torch="2.13.0", device=f"cuda:{number}") for number in (0, 1)]
    for number in order:
        recorder._meet(told[number])
    assert recorder.targets["cuda"].environment == {"torch": "2.13.0", "device": "cuda:0"}
