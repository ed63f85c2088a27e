"""Generated files and the student bundle."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder.calibrate import implementations, read_recorded
from autograder.code_hash import code_hash
from autograder.private import load_private
from autograder.solutions import ROOT, reference_code
from hw4.assignment import load_assignment
from hw4.experiments import EXPERIMENTS
from publish import __main__ as publish
from publish.bundle import student_files, write_student_bundle
from publish.stubs import solution_lines

ASSIGNMENT = load_assignment()


def test_no_generated_file_has_drifted() -> None:
    drifted = [str(path.relative_to(ROOT)) for path in publish.drifted()]
    assert not drifted, f"{', '.join(drifted)}: not what the source gives: run `make publish`"


def test_a_changed_line_in_a_generated_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = ROOT / "hw4" / "mpc.py"
    texts = {stub: stub.read_text(encoding="utf-8").replace("smoothing", "smoothness", 1)}
    monkeypatch.setattr(publish, "generated_texts", lambda: texts)
    monkeypatch.setattr(publish, "build_handout", lambda target: publish.PDF)
    assert publish.drifted() == [stub]


@pytest.mark.parametrize("curve", ASSIGNMENT.curves, ids=lambda curve: curve.id)
def test_recorded_runs_belong_to_todays_code(curve) -> None:  # type: ignore[no-untyped-def]
    """A changed solution, setting or environment makes recorded runs stale."""
    experiment = EXPERIMENTS[curve.experiment]
    recorded = read_recorded(curve)
    for name, code in implementations(curve).items():
        hashes = {run.code_hash for run in recorded if run.implementation == name}
        today = code_hash(code, experiment)
        assert hashes == {today}, f"{curve.id}, {name}: the recorded runs are stale: run `make calibrate`"


@pytest.mark.parametrize("curve", ASSIGNMENT.curves, ids=lambda curve: curve.id)
def test_bars_rest_on_at_least_40_reference_runs(curve) -> None:  # type: ignore[no-untyped-def]
    assert sum(run.implementation == "reference" for run in read_recorded(curve)) >= 40


def test_a_changed_solution_makes_the_recorded_runs_stale() -> None:
    experiment = EXPERIMENTS["cartpole"]
    code = reference_code()
    changed = {**code, "mpc.py": code["mpc.py"].replace(b"returns + reward", b"returns - reward")}
    reworded = {**code, "mpc.py": code["mpc.py"].replace(b"Clip before scoring", b"First clip")}
    assert code_hash(changed, experiment) != code_hash(code, experiment)
    assert code_hash(reworded, experiment) == code_hash(code, experiment)


def test_nothing_private_is_in_the_student_bundle() -> None:
    files = dict(student_files())
    private_lines = {
        line.strip()
        for name, source in reference_code().items()
        for region in solution_lines(source.decode()).values()
        for line in region
        if len(line.strip()) > 30
    }
    # A line of a solution may stand in a given file for a good reason: only the three stub files are compared.
    stubs = "\n".join(files[f"hw4/{name}"].decode() for name in ASSIGNMENT.submission.code)
    assert not [line for line in private_lines if line in stubs]
    everything = b"\n".join(files.values())
    for word in (str(load_private().master_seed).encode(), b"### BEGIN SOLUTION", b"hidden_tests", b"oracles"):
        assert word not in everything
    assert not [name for name in files if name.startswith(("autograder", "solutions", "publish", "tests/"))]


def test_two_builds_of_the_bundle_are_identical(tmp_path: Path) -> None:
    first, second = (write_student_bundle(tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_the_bundle_works_by_itself(tmp_path: Path) -> None:
    """Unpacked elsewhere: every public test is collected, and an unwritten stub says what to do."""
    with zipfile.ZipFile(write_student_bundle(tmp_path / "student.zip")) as archive:
        archive.extractall(tmp_path)
    folder = next(path for path in tmp_path.iterdir() if path.is_dir())
    command = [sys.executable, "-m", "pytest", "hw4/tests", "-q", "-m", "cem_refit", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1
    assert "NotImplementedError: cem_refit: write refit_to_elites in hw4/mpc.py" in run.stdout
    assert str(ROOT) not in run.stdout
