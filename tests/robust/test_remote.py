"""Targets on other machines: a real sshd, a socket, and hosts of which one is cut off in the middle of a run."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import execnet
import pytest

from conformance.targets import Target, TargetLost, TargetSpec
from tests.robust.conftest import TINY
from tests.test_targets import case, executed

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CLIENT = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
FAST = "-o ServerAliveInterval=1 -o ServerAliveCountMax=3 -o ConnectTimeout=3"
needs_sshd = pytest.mark.skipif(not SSHD or not shutil.which("ssh"), reason="no OpenSSH server and client here")
choice = TINY[2:]


def may_make_hosts() -> str:
    """Why there can be no network namespaces here; nothing where there can."""
    if os.geteuid() or not shutil.which("ip"):
        return "needs root and iproute2"
    made = subprocess.run(["ip", "netns", "add", "conformance-probe"], capture_output=True, text=True, check=False)
    if not made.returncode:
        subprocess.run(["ip", "netns", "del", "conformance-probe"], check=False)
    return made.stderr.strip()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts an sshd, on loopback or as a host of its own; answers with the beginning of a target's spec."""
    running: list[subprocess.Popen[bytes]] = []
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)

    def start(address: str = "127.0.0.1", *within: str, options: str = "") -> str:
        port = free_port()
        config = tmp_path / f"sshd-{port}"
        config.write_text(f"Port {port}\nListenAddress {address}\nHostKey {tmp_path}/host\nPidFile none\nUsePAM no\n"
                          f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nPermitRootLogin yes\n")  # fmt: skip
        running.append(subprocess.Popen([*within, str(SSHD), "-D", "-f", str(config)], stderr=subprocess.DEVNULL))
        until_it_listens(address, port)
        return f"ssh=-p {port} -i {tmp_path}/user {CLIENT} {options} {getpass.getuser()}@{address}"

    yield start
    for process in running:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until_it_listens(address: str, port: int, within: float = 15.0) -> None:
    end = time.monotonic() + within
    while time.monotonic() < end:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"nothing listens at {address}:{port}")


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    """Two network namespaces, each with an address that this one reaches."""
    if reason := may_make_hosts():
        pytest.skip(f"no network namespaces here: {reason}")
    names = [f"cf{os.getpid() % 10000}-{letter}" for letter in "ab"]
    try:
        for number, name in enumerate(names):
            inside = ["ip", "-n", name]
            for command in (
                ["ip", "netns", "add", name],
                ["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name],
                ["ip", "addr", "add", f"10.213.{number}.1/30", "dev", name],
                ["ip", "link", "set", name, "up"],
                [*inside, "addr", "add", f"10.213.{number}.2/30", "dev", "eth0"],
                [*inside, "link", "set", "eth0", "up"],
                [*inside, "link", "set", "lo", "up"],
            ):
                subprocess.run(command, check=True, capture_output=True)
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@needs_sshd
def test_a_target_behind_ssh_needs_torch_and_nothing_else(begin, sshd, target_python):
    done = begin(*choice, "--target", f"far={sshd()}//python={target_python}::cpu").ended()
    assert done.code == 0, done.said
    [record] = done.run.targets
    assert (record.name, record.status, record.device) == ("far", "ran", "cpu")
    assert all(tally.kept for tally in done.run.tallies)


@needs_sshd
def test_a_pool_of_two_hosts_is_one_target_that_two_workers_share(begin, sshd, target_python):
    members = [f"{sshd()}//python={target_python}::cpu" for _ in range(2)]
    done = begin(*choice, "--module", "Flatten", "--claim", "flatten.accepts.*", "--target", ",".join(members),
                 "-n", "2").ended()  # fmt: skip
    assert done.code == 0, done.said
    assert [record.name for record in done.run.targets] == ["cpu"]


@needs_sshd
def test_a_host_that_refuses_the_key_is_lost_and_says_so(sshd, target_python, tmp_path):
    spec = sshd().replace(f"{tmp_path}/user", f"{tmp_path}/host")
    with pytest.raises(TargetLost, match="ssh cannot reach "):
        Target(TargetSpec.parse(f"{spec}//python={target_python}::cpu")).start()


def test_a_target_behind_a_socket_needs_execnet_beside_torch(target_python, tmp_path):
    (tmp_path / "execnet").symlink_to(Path(execnet.__file__).parent)
    port = free_port()
    server = subprocess.Popen([target_python, "-m", "execnet.script.socketserver", f"127.0.0.1:{port}"], cwd=tmp_path,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    target = Target(TargetSpec.parse(f"socket=127.0.0.1:{port}::cpu"))
    try:
        for _ in range(100):
            try:
                target.start()
                break
            except TargetLost:  # it does not listen yet
                time.sleep(0.1)
        assert executed(target, case())[0]["status"] == "ok"
    finally:
        target.close()
        server.kill()
        server.wait()


@needs_sshd
def test_a_host_that_is_cut_off_in_the_middle_is_lost_and_the_other_completes(begin, sshd, hosts, target_python):
    places = [
        sshd(f"10.213.{number}.2", "ip", "netns", "exec", name, options=FAST) for number, name in enumerate(hosts)
    ]
    specs = [f"{name}={place}//python={target_python}::cpu" for name, place in zip(("one", "two"), places, strict=True)]
    started = begin("--module", "Flatten", "--module", "Linear", "--module", "Conv2d", "--cases", "200",
                    "--time-limit", "5", *(word for spec in specs for word in ("--target", spec))).until("tally", 2)  # fmt: skip
    subprocess.run(["ip", "link", "set", hosts[0], "down"], check=True)
    done = started.ended(120)
    assert done.code == 4, done.said
    states = {record.name: record.status for record in done.run.targets}
    assert states == {"one": "lost", "two": "ran"}
    assert done.run.footer is not None
    assert "target one was asked for and is not there" in done.run.footer["reason"]
    other = [tally for tally in done.run.tallies if tally.target == "two"]
    assert len(other) == len(done.run.header["claims"])
    assert {tally.outcome for tally in other} <= {"passed", "not documented", "known"}
    assert not [found for found in done.run.discrepancies if found.ledger is None]
