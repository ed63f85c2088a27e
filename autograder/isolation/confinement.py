"""What holds on this system: a worker's layers checked from outside, and what a throw-away worker found possible."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from autograder.isolation.fork_server import GRADER, ForkServer, GraderFault
from autograder.worker import wire
from autograder.worker.layers import NO_CAPABILITIES, NO_PRIVILEGES, OWN_USER, SCRATCH, SECCOMP

PROBE_SECONDS = 60.0
HIDDEN_FILES = ("autograder/private.toml", "autograder/hidden_tests/oracles.py", "solutions/mpc.py")


@dataclass(frozen=True)
class Guarantee:
    """Something that a submission cannot do, in words for a TA, and how to mend it where it can."""

    id: str
    text: str
    mend: str


GUARANTEES = (
    Guarantee(
        "hidden_files",
        "cannot read hidden tests, seeds, solutions or other submissions",
        "grade where landlock or mount namespaces work, or as root with `chmod -R go-rwx` on the grader's folder",
    ),
    Guarantee("files", "can write no file outside its own scratch folder", "grade where landlock or seccomp works"),
    Guarantee("processes", "can start no process and no program", "grade where seccomp works (x86-64 or aarch64)"),
    Guarantee("network", "has no network and can open no socket", "grade where seccomp works (x86-64 or aarch64)"),
    Guarantee(
        "others",
        "cannot look into, trace, slow down or signal the grader",
        "grade where seccomp or landlock works, or as root, so that workers get a user id of their own",
    ),
    Guarantee("limits", "cannot use more memory, time or disk than it is given", "grade on Linux 5.0 or newer"),
)


@dataclass(frozen=True)
class Confinement:
    """What a throw-away worker found."""

    layers: dict[str, str]  # layer -> "on" or "off: why"
    probes: dict[str, str]  # what was tried -> "refused: why" or "possible"
    uid: int

    def holes(self, guarantee: str) -> list[str]:
        """What was possible and breaks a guarantee."""
        return [name for name, result in self.probes.items() if result == "possible" and broken_by(name) == guarantee]

    def missing(self, required: tuple[str, ...]) -> list[Guarantee]:
        return [guarantee for guarantee in GUARANTEES if guarantee.id in required and self.holes(guarantee.id)]


def broken_by(probe: str) -> str:
    """The guarantee that a probe breaks if it is possible; empty for what must be possible."""
    if probe in ("start a thread", "write into its scratch folder"):
        return ""
    first, _, rest = probe.partition(" ")
    if first in ("fill", "use", "raise"):
        return "limits"
    if first == "write":
        return "files"
    if first == "read":
        return "hidden_files"
    if first == "open":
        return "network"
    return "processes" if rest in ("a process", "a program") else "others"


def probe(server: ForkServer) -> Confinement:
    """Have a throw-away worker try everything.

    Raises:
        GraderFault: it did not answer, what it says of its layers is not what the system says, or a worker cannot do
            what it needs.
    """
    hidden = [str(GRADER / name) for name in HIDDEN_FILES]
    facts = {"hidden_files": hidden, "hidden_folders": [str(GRADER)], "server": server.pid, "referee": os.getpid()}
    pid, connection = server.spawn(slot=0, cpu_seconds=20, memory_mb=4096)
    deadline = time.monotonic() + PROBE_SECONDS
    try:
        message, _ = wire.receive_frame(connection, deadline)
        layers = message["layers"]
        uid = verify_layers(pid, layers, server.uid_of(0))
        facts["scratch"] = layers[SCRATCH] == "on"
        wire.send_frame(connection, {"kind": "probe", "facts": facts}, [], deadline)
        message, _ = wire.receive_frame(connection, deadline)
    except (wire.WireError, wire.WireClosed, wire.DeadlinePassed) as error:
        raise GraderFault(f"a worker without a submission did not answer: {type(error).__name__}") from error
    finally:
        connection.close()
        server.end(pid, 0)
    confinement = Confinement(layers, message["results"], uid)
    needed = [name for name, result in confinement.probes.items() if not broken_by(name) and result != "possible"]
    if needed:
        raise GraderFault(f"a worker cannot do what it must: {', '.join(needed)}")
    return confinement


def verify_layers(pid: int, layers: dict[str, str], uid: int | None) -> int:
    """Compare what a worker says of its layers with what the kernel says of the worker. Returns its user id.

    Raises:
        GraderFault: they differ.
    """
    status: dict[str, str] = {}
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        status = {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    if not status:
        raise GraderFault(f"the system says nothing of worker {pid}")
    uids = {int(field) for field in status["Uid"].split()}
    seen = {
        OWN_USER: uids == {uid},
        NO_PRIVILEGES: status.get("NoNewPrivs") == "1",
        NO_CAPABILITIES: int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0,
        SECCOMP: status.get("Seccomp") == "2",
    }
    for layer, holds in seen.items():
        if layers.get(layer) == "on" and not holds:
            raise GraderFault(f"worker {pid} says that this layer is on, the system says it is not: {layer}")
    if uid is not None and layers.get(OWN_USER) != "on":
        raise GraderFault(f"worker {pid} did not get its own user id: {layers.get(OWN_USER)}")
    return min(uids)
