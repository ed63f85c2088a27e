"""What holds on this system: a worker's layers checked from outside, and what a throw-away worker found possible."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from autograder.isolation.fork_server import GRADER, ForkServer, GraderFault
from autograder.worker import wire
from autograder.worker.layers import NO_CAPABILITIES, NO_PRIVILEGES, OWN_USER, PROCESS_IDS, SCRATCH, SECCOMP
from autograder.worker.probes import NEEDED

PROBE_SECONDS = 60.0
HIDDEN = ("autograder/private.toml", "autograder/hidden_tests", "solutions")  # files, and folders of Python files


@dataclass(frozen=True)
class Guarantee:
    """Something that a submission cannot do, in words for a TA, and how to fix it where it can."""

    id: str
    text: str
    broken: str  # what a submission could do where it does not hold
    fix: str


GUARANTEES = (
    Guarantee(
        "hidden_files",
        "cannot read hidden tests, seeds, solutions or other submissions",
        "could read hidden tests, seeds, solutions or other submissions",
        "grade where landlock or mount namespaces work, or as root with `chmod -R go-rwx` on the grader's folder",
    ),
    Guarantee(
        "files",
        "cannot write any file outside its own scratch folder",
        "could write files outside its own scratch folder",
        "grade where landlock or seccomp works",
    ),
    Guarantee(
        "processes",
        "cannot start a process or a program",
        "could start processes and programs",
        "grade where seccomp works (x86-64 or aarch64)",
    ),
    Guarantee(
        "network",
        "has no network and cannot open a socket",
        "could use the network",
        "grade where seccomp works (x86-64 or aarch64)",
    ),
    Guarantee(
        "others",
        "cannot look into, trace, slow down or signal the grader",
        "could look into, trace, slow down or signal the grader",
        "grade where seccomp or landlock works, or as root, so that workers get a user id of their own",
    ),
    Guarantee(
        "limits",
        "cannot use more memory, time or disk than it is given",
        "could use more memory, time or disk than it is given",
        "grade on Linux 5.0 or newer",
    ),
)


@dataclass(frozen=True)
class Confinement:
    """What a throw-away worker found."""

    layers: dict[str, str]  # layer -> "on" or "off: why"
    probes: dict[str, dict[str, str]]  # id of a guarantee -> what was tried -> "refused: why" or "possible"
    uid: int

    def holes(self, guarantee: str) -> list[str]:
        """What was possible and breaks a guarantee."""
        return [name for name, result in self.probes.get(guarantee, {}).items() if result == "possible"]

    def missing(self, required: tuple[str, ...]) -> list[Guarantee]:
        return [guarantee for guarantee in GUARANTEES if guarantee.id in required and self.holes(guarantee.id)]


def hidden_files() -> list[Path]:
    """Every file that no submission may read, wherever it is in `HIDDEN`."""
    places = [GRADER / name for name in HIDDEN]
    return [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*.py")))]


def probe(server: ForkServer) -> Confinement:
    """Have a throw-away worker try everything.

    Raises:
        GraderFault: it did not answer, what it says of its layers is not what the system says, or a worker cannot do
            what it needs.
    """
    hidden = [str(path) for path in hidden_files()]
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
    needed = [name for name, result in confinement.probes[NEEDED].items() if result != "possible"]
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
        raise GraderFault(f"the system does not know worker {pid}")
    uids = {int(field) for field in status["Uid"].split()}
    seen = {
        OWN_USER: uids == {uid},
        NO_PRIVILEGES: status.get("NoNewPrivs") == "1",
        NO_CAPABILITIES: int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0,
        SECCOMP: status.get("Seccomp") == "2",
        PROCESS_IDS: status.get("NSpid", "").split()[1:] == ["1"],
    }
    for layer, holds in seen.items():
        if layers.get(layer) == "on" and not holds:
            raise GraderFault(f"worker {pid} says that this layer is on, but the system says that it is off: {layer}")
    if uid is not None and layers.get(OWN_USER) != "on":
        raise GraderFault(f"worker {pid} did not get a user id of its own: {layers.get(OWN_USER)}")
    return min(uids)
