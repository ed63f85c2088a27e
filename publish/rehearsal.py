"""What a student does first, with nothing but the bundle: unpacked elsewhere, installed, tests, one experiment, submit.

The bundle is installed by pip into a throw-away environment. The packages of requirements.txt are taken from the
environment of this repository, of which the new one sees the packages but not the editable install, so nothing is
downloaded; `pip check` says whether they are what the bundle asks for.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment
from hw4.handin.at_once import write_at_once
from hw4.handin.update import BUNDLE_FOLDER
from publish.findings import FILES, Finding

BUNDLE = "build/student.zip"
TIMEOUT = 600  # seconds of one command
FIX = f"fix what the bundle lacks, {FILES}"
EXPERIMENT = (
    *("train", "cliff_hill", "--seeds", "0", "--name", "rehearsal", "--num-episodes", "2"),
    *("--num-initial-episodes", "1", "--gradient-steps", "3", "--horizon", "6", "--population-size", "8"),
    *("--num-elites", "2", "--num-kept-elites", "1", "--refit-every", "20"),
)


def rehearse(bundle: bytes) -> Iterator[Finding]:
    """Everything in the student's first hour that does not work."""
    with tempfile.TemporaryDirectory(prefix="student-") as folder, zipfile.ZipFile(BytesIO(bundle)) as archive:
        archive.extractall(folder)
        student = _Student(Path(folder).resolve() / BUNDLE_FOLDER)
        yield from student.first_hour()


class _Student:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._python = home / ".venv" / "bin" / "python"

    def first_hour(self) -> Iterator[Finding]:
        assignment = load_assignment()
        self._make_environment()
        install = ("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "-e", ".")
        yield from self._works("pip install -e .", install)
        yield from self._works("pip check", ("-m", "pip", "check"))
        where = "import hw4, os; print(os.path.dirname(hw4.__file__))"
        yield from self._works("import hw4", ("-c", where), prints=str(self._home / "hw4"), cwd=self._home.parent)
        yield from self._works(
            "pytest --collect-only", ("-m", "pytest", "--collect-only", "-q"), prints="tests collected"
        )
        first = assignment.stubs[0]
        wanted = f"NotImplementedError: {first.id}: write {first.symbol} in hw4/{first.file}"
        yield from self._works(f"pytest -m {first.id}", ("-m", "pytest", "-q", "-m", first.id), prints=wanted, status=1)
        yield from self._works("python -m hw4 submit", ("-m", "hw4", "submit"), prints="Wrote hw4_submission.zip")
        for name, content in reference_code().items():  # as a student who has written everything
            write_at_once(self._home / "hw4" / name, content)
        yield from self._works("python -m hw4 train", ("-m", "hw4", *EXPERIMENT), prints="Next: python -m hw4 plot")

    def _make_environment(self) -> None:
        venv.create(self._home / ".venv", with_pip=False, symlinks=True)
        (site_packages,) = (self._home / ".venv" / "lib").glob("python*/site-packages")
        # A folder that a .pth file names is searched, but its own .pth files, such as an editable install's, are not.
        (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def _works(
        self, shown: str, arguments: tuple[str, ...], *, prints: str = "", status: int = 0, cwd: Path | None = None
    ) -> Iterator[Finding]:
        """A finding unless the command ends with this status, prints this, and names nothing of the repository."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "PIP_"))}
        environment |= {
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUTF8": "1",
        }
        run = subprocess.run(
            [str(self._python), *arguments],
            cwd=cwd or self._home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        printed = run.stdout + run.stderr
        if run.returncode != status:
            last = (printed.strip().splitlines() or ["nothing"])[-1]
            yield Finding(BUNDLE, None, f"`{shown}` ends with status {run.returncode}, expected {status}: {last}", FIX)
        elif prints not in printed:
            yield Finding(BUNDLE, None, f"`{shown}` does not print {prints!r}", FIX)
        elif str(ROOT / "hw4") in printed or str(ROOT / "solutions") in printed:
            yield Finding(BUNDLE, None, f"`{shown}` uses files of the repository", FIX)
