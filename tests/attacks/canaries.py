"""What an attacker must not find, change or leave behind, and how to tell that it happened."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.isolation import fork_server
from autograder.isolation.confinement import hidden_files
from autograder.solutions import ROOT

WATCHED = ("autograder", "hw4", "solutions", "publish", "assignment.toml", "pyproject.toml", "Makefile")
NOT_WATCHED = ("__pycache__", "hidden-mark", "hidden-run")  # canaries of other runs of the bank come and go
PUBLIC_FOLDERS = ("/", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/run", str(Path.home()))

BYSTANDER = """
import os, sys
secret = sys.stdin.readline()
hidden = open(sys.argv[1], "rb")
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Planted:
    """Secrets in their places, and what an attacker is assumed to know."""

    mark: str  # in the name of everything that an attack leaves behind
    secrets: dict[str, str]  # place -> token
    places: dict[str, str]  # name in bank.toml -> path or process id
    watched: tuple[Path, ...]
    bystander: subprocess.Popen[str]


def _token(place: str) -> str:
    return f"canary-{place}-{secrets.token_hex(16)}"


@contextlib.contextmanager
def planted() -> Iterator[Planted]:
    """Plant canaries, and a bystander: another process of the grader's user.

    A user who may not write into the repository (the unprivileged mode) gets the path of a hidden file that was
    planted before from the environment: HW4_PLANTED=path:token.
    """
    mark = f"mark{secrets.token_hex(6)}"
    tokens = {place: _token(place) for place in ("hidden", "world", "other", "sibling", "environ", "memory")}
    with contextlib.ExitStack() as closing:
        hidden = ROOT / "autograder" / f"hidden-{mark}.txt"
        if planted_before := os.environ.get("HW4_PLANTED"):
            name, _, tokens["hidden"] = planted_before.partition(":")
            hidden = Path(name)
        else:
            hidden.write_text(tokens["hidden"], encoding="utf-8")
            closing.callback(hidden.unlink, missing_ok=True)
        outside = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="class-")))
        outside.chmod(0o755)
        (outside / "other" / "hw4").mkdir(parents=True)
        other = outside / "other" / "hw4" / "mpc.py"
        other.write_text(tokens["other"], encoding="utf-8")
        world = outside / "answers.txt"
        world.write_text(tokens["world"], encoding="utf-8")
        world.chmod(0o644)
        output = outside / "output"
        output.mkdir()
        for name in ("results.json", "receipt.json", "gradebook.db"):
            (output / name).write_text("{}", encoding="utf-8")
        sibling = Path("/tmp" if os.access("/tmp", os.W_OK) else outside, f"grade-{mark[4:]}")  # one graded beside
        sibling.mkdir(mode=0o755)
        closing.callback(shutil.rmtree, sibling)
        (sibling / "mpc.py").write_text(tokens["sibling"], encoding="utf-8")
        memory = closing.enter_context(_bystander(hidden, tokens))
        secret = [*hidden_files(), *sorted((ROOT / "autograder" / "zoo").rglob("*.toml"))]
        places = {
            "MARK": mark,
            "ROOT": str(ROOT),
            "HIDDEN": str(hidden),
            "HIDDEN_FILES": repr([str(path) for path in secret]),
            "HIDDEN_MODULES": repr([module_of(path) for path in secret if path.suffix == ".py"]),
            "WORLD": str(world),
            "OTHER": str(other),
            "SIBLING": str(sibling / "mpc.py"),
            "OUTPUT": str(output),
            "HOME": str(Path.home()),
            "TRUSTED": str(os.getpid()),
            "BYSTANDER": str(memory.pid),
        }
        yield Planted(mark, tokens, places, (*(ROOT / name for name in WATCHED), outside, sibling), memory)


def module_of(path: Path) -> str:
    """The name by which a file of the repository would be imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@contextlib.contextmanager
def _bystander(hidden: Path, tokens: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", BYSTANDER, str(hidden)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"HW4_SECRET": tokens["environ"]},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(tokens["memory"] + "\n")
    process.stdin.flush()
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


Facts = dict[str, tuple[int, int, int, int]]


def snapshot(paths: tuple[Path, ...]) -> Facts:
    """Mode, owner, size and time of change of every file and folder at or below these paths."""
    facts: Facts = {}
    waiting = [str(path) for path in paths]
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(path)
            if os.path.isdir(path) and not os.path.islink(path):
                waiting += [entry.path for entry in os.scandir(path) if not entry.name.startswith(NOT_WATCHED)]
        except OSError:
            continue
        changed = 0 if os.path.isdir(path) else status.st_mtime_ns
        facts[path] = (status.st_mode, status.st_uid, 0 if os.path.isdir(path) else status.st_size, changed)
    return facts


def differences(before: Facts, after: Facts) -> list[str]:
    """Paths that came, went or changed."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def marked_files(mark: str) -> list[str]:
    """What carries the mark in folders that everybody may write to."""
    found = []
    for folder in PUBLIC_FOLDERS:
        with contextlib.suppress(OSError):
            found += [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(mark)]
    return found


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    started: int  # clock ticks since boot: a process id may come round again
    command: str


def processes() -> dict[int, Process]:
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            fields = Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()
            command = Path(f"/proc/{name}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if fields[0] not in "ZX":
            found[int(name)] = Process(int(name), int(fields[1]), int(fields[19]), command)
    return found


def own_processes(mark: str) -> dict[tuple[int, int], str]:
    """Processes that come from this grader: descendants, those with its mark, and stray workers.

    Returns:
        (pid, start) -> command line.
    """
    everything = processes()

    def ancestors(process: Process) -> Iterator[int]:
        while process.parent in everything:
            yield process.parent
            process = everything[process.parent]

    own = {}
    for process in everything.values():
        line = list(ancestors(process))
        stray = str(fork_server.FORK_SERVER) in process.command and (not line or line == [1])
        marked = mark in process.command
        if process.pid != os.getpid() and (os.getpid() in line or stray or marked):
            own[process.pid, process.started] = process.command
    return own
