"""python -m autograder.gradescope: grade /autograder/submission and leave a valid results.json, whatever happens.

This process supervises: the grader runs in a child, which may crash, be killed or take too long. Only the standard
library is loaded before the child has ended, so that a small container's memory goes to the grader.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autograder.files import as_json, write_at_once
from autograder.gradescope.metadata import Metadata, read_metadata
from hw4.handin.assignment import load_assignment

DEADLINE_SECONDS = 35 * 60  # below Gradescope's longest timeout of 40 minutes, which overwrites everything with zero
SPARE_SECONDS = 90  # of these, for the grader to write what it has when its own, earlier deadline passed
TWO_JOBS_BYTES = 1_300_000_000  # of memory, from which two learning runs fit at once
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
WORKER_UID = 20_000  # of the ids that workers get
GRADED, REFUSED, FAULT = 0, 4, 5  # exit statuses of the grader
OUT_OF_TIME = 124  # in place of one, when the deadline passed
ARCHIVES = (".zip", ".tar.gz", ".tgz")
OUT_OF_MEMORY_FIRST = "500"  # the kernel ends the grader before this process when memory runs out


def main(root: Path, grader: list[str], deadline_seconds: float) -> None:
    """Grade `root/submission` into `root/results/results.json`.

    Args:
        root: /autograder, but for tests.
        grader: the command that grades; submission, output folder, number of jobs and deadline are appended.
        deadline_seconds: wall-clock time after which the grader is ended, should it not have ended by itself.
    """
    start = time.monotonic()
    metadata = read_metadata(root / "submission_metadata.json")
    cap = load_assignment().policies.max_submissions
    print(f"submission {metadata.submission}, handed in at {metadata.created_at or 'an unknown time'}", flush=True)
    if 0 < cap <= len(metadata.graded_before):
        print(f"not graded: only {cap} submissions count, and that many were graded before", flush=True)
        write_at_once(root / "results" / "results.json", as_json(_counted(metadata.graded_before[cap - 1], cap)))
        return
    with tempfile.TemporaryDirectory(prefix="results-") as folder:
        output = Path(folder)
        status = _grade(root, output, grader, deadline_seconds) if _workers_start() else FAULT
        document = _document(status, output)
        print(f"{_ending(status)} after {time.monotonic() - start:.0f} s", flush=True)
        _print_receipt(output / "receipt.json")
    if not _shows_details(metadata):
        from autograder.report.results import without_details

        document = without_details(document)
    write_at_once(root / "results" / "results.json", as_json(document))


def _workers_start() -> bool:
    """Whether the interpreter starts as another user; if not, student code would run as root."""
    program = "import os; print(*os.getresuid(), *os.getresgid(), *os.getgroups())"
    try:
        run = subprocess.run(
            [sys.executable, "-I", "-B", "-c", program],
            user=WORKER_UID,
            group=WORKER_UID,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"the interpreter does not start for another user: {error}")
        return False
    if run.stdout.split() != [str(WORKER_UID)] * 6:
        print(f"the interpreter does not start for another user: {run.stdout} {run.stderr}")
        return False
    return True


def _grade(root: Path, output: Path, grader: list[str], deadline_seconds: float) -> int:
    """Run the grader. Its exit status, or minus the signal that ended it."""
    minutes = max(0.0, deadline_seconds - SPARE_SECONDS) / 60
    command = [*grader, str(_submission(root)), "--output", str(output)]
    command += ["--jobs", str(_jobs()), "--deadline-minutes", f"{minutes:.2f}"]
    with subprocess.Popen(command, env=_environment(), stdin=subprocess.DEVNULL, start_new_session=True) as process:
        with contextlib.suppress(OSError):
            Path(f"/proc/{process.pid}/oom_score_adj").write_text(OUT_OF_MEMORY_FIRST, encoding="ascii")
        try:
            return process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            return OUT_OF_TIME
        finally:  # the fork server is in the same group, and workers end with it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _submission(root: Path) -> Path:
    """The folder, or the archive if it holds just one file and that is one: Gradescope unpacks .zip files alone."""
    folder = root / "submission"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if len(names) == 1 and names[0].lower().endswith(ARCHIVES):
        return folder / names[0]
    return folder


def _jobs() -> int:
    """Learning runs at once: two need the memory of the second smallest container."""
    for path in MEMORY_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # absent, or "max"
            return 2 if int(path.read_text(encoding="ascii")) >= TWO_JOBS_BYTES else 1
    return 2


def _environment() -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, **threads, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120", "HOME": "/root"}


def _document(status: int, output: Path) -> dict[str, Any]:
    """What the grader wrote, if it may be believed, or what to say in its place."""
    from autograder.report.documents import fault, out_of_time

    written = _read_json(output / "results.json")
    if status == OUT_OF_TIME:
        return out_of_time()
    if status not in (GRADED, REFUSED, FAULT) or not isinstance(written, dict):
        return fault()
    if status == GRADED and not _had_user_ids(output / "receipt.json"):
        print("there is no proof that workers had user ids of their own, so no grade is written")
        return fault()
    return written


def _had_user_ids(receipt_file: Path) -> bool:
    """Whether the receipt says that workers were not root; the grader has compared that with /proc."""
    receipt = _read_json(receipt_file)
    confinement = receipt.get("confinement") if isinstance(receipt, dict) else None
    uid = confinement.get("uid") if isinstance(confinement, dict) else None
    return isinstance(uid, int) and uid > 0


def _ending(status: int) -> str:
    known = {GRADED: "graded", REFUSED: "refused", FAULT: "grader fault", OUT_OF_TIME: "stopped at the deadline"}
    return known.get(status, f"grader fault: the grader ended with status {status}")


def _print_receipt(path: Path) -> None:
    """One line of ASCII in what staff see, to be kept where a grade is questioned."""
    receipt = _read_json(path)
    if receipt is not None:
        print(f"receipt: {json.dumps(receipt)}", flush=True)


def _counted(results: dict[str, Any], cap: int) -> dict[str, Any]:
    """The results of the last submission that counts, for one that was handed in after it."""
    note = (
        f"This submission was not graded: only the first {cap} count, and the result of the last of those is shown "
        f"below. "
        "If you think that one of them should not count, ask the course staff."
    )
    return {**results, "output": f"{note}\n\n{results.get('output', '')}"}


def _shows_details(metadata: Metadata) -> bool:
    assignment = load_assignment()
    closes_at = metadata.closes_at or assignment.course.due
    return assignment.visibility_before_due == "full" or datetime.now(UTC) >= closes_at


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    main(Path("/autograder"), [sys.executable, "-B", "-m", "autograder", "grade"], DEADLINE_SECONDS)
