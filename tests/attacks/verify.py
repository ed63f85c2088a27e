"""Runs the attack bank in every mode and says what got through: `python tests/attacks/verify.py MODE ...`."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from attacks.modes import CANNOT, MODES, UNUSED_USER  # noqa: E402

MODES_FILE = Path(__file__).with_name("modes.py")
BANK = Path(__file__).with_name("test_attacks.py")


@dataclass(frozen=True)
class Run:
    """One run of the bank."""

    mode: str
    status: int
    worker: dict[str, Any]  # what the kernel said of a worker, and what a worker said of itself
    rows: list[dict[str, Any]]  # one per attack
    said: str  # the last line of pytest, or why this mode cannot be made

    @property
    def through(self) -> dict[str, list[str]]:
        return {row["name"]: row["problems"] for row in self.rows if row["problems"]}


def run_in(mode: str, selection: list[str], log: Path | None) -> Run:
    with hidden_file() as planted, tempfile.TemporaryDirectory(prefix="verify-") as folder:
        record = Path(folder, "record.jsonl")
        os.chmod(folder, 0o755)
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        record.touch()
        if mode == "unprivileged":
            for path in (record, scratch):
                os.chown(path, UNUSED_USER, UNUSED_USER)
        environment = os.environ | {
            "HW4_ATTACKS_RECORD": str(record),
            "HW4_PLANTED": planted,
            "TMPDIR": str(scratch),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, str(MODES_FILE), mode, sys.executable, "-m", "pytest", str(BANK), "-q", "-m", "",
                   "-p", "no:cacheprovider", "--tb", "short", *selection]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if log is not None:
            (log / f"{mode}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        facts = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    said = (done.stderr if done.returncode == CANNOT else done.stdout).strip().rpartition("\n")[2]
    worker = next((fact for fact in facts if "layers" in fact), {})
    return Run(mode, done.returncode, worker, [fact for fact in facts if "name" in fact], said)


@contextlib.contextmanager
def hidden_file() -> Iterator[str]:
    """A canary in the grader's folder, planted by root for a user who may not write there: "path:token"."""
    token = f"canary-hidden-{secrets.token_hex(16)}"
    path = ROOT / "autograder" / f"hidden-run{secrets.token_hex(6)}.txt"
    path.write_text(token, encoding="utf-8")
    try:
        yield f"{path}:{token}"
    finally:
        path.unlink(missing_ok=True)


def report(run: Run) -> Iterator[str]:
    yield f"{run.mode}: {run.said}"
    if run.worker:
        kernel = ", ".join(f"{name} {run.worker[name]}" for name in ("uids", "CapEff", "NoNewPrivs", "Seccomp"))
        yield f"  a worker, says the kernel: {kernel}"
        off = [f"{name} ({state})" for name, state in run.worker["layers"].items() if state != "on"]
        yield f"  layers that are off: {'; '.join(off) or 'none'}"
        missing = ", ".join(run.worker["missing"])
        yield f"  foreign submissions are {f'refused: missing {missing}' if missing else 'graded'}"
    gained = sum("earned" in problem for row in run.rows for problem in row["problems"])
    yield f"  {len(run.rows)} attacks, {gained} gained points, {len(run.through)} got something else"
    for name, problems in run.through.items():
        yield f"    {name}: {problems[0][:160]}"


def main(
    modes: Annotated[tuple[str, ...], Positional, tyro.conf.arg(help=f"of {', '.join(MODES)}; all by default")] = (),
    *,
    selection: Annotated[str, tyro.conf.arg(name="select", aliases=["-k"])] = "",
    log: Path | None = None,
) -> int:
    """Run the attack bank in every mode, and say what got through.

    Args:
        selection: only these attacks, as pytest's -k.
        log: folder for what pytest prints.
    """
    failed = False
    for mode in modes or MODES:
        run = run_in(mode, ["-k", selection] if selection else [], log)
        failed |= run.status not in (0, CANNOT)
        print("\n".join(report(run)), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(tyro.cli(main, prog="python tests/attacks/verify.py"))
