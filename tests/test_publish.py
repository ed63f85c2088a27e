"""The gate: what it compares, what it finds when something is planted, and what students get."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from copied_tree import copy_of_the_tree, edit, run

from autograder.grading.curves import BARS_FILE
from autograder.recorded.calibration import implementations, read_recorded
from autograder.recorded.code_hash import code_hash
from autograder.solutions import ROOT, reference_code
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from publish import drift, gate, leaks, places, rehearsal, stale_runs
from publish import findings as findings_module
from publish.archive import zip_of
from publish.drift import Artefact
from publish.findings import ADD_CURVE, ADD_EFFECT, ADD_PROBLEM, DROP_PROBLEM, Finding
from publish.handout import FIGURES, PDF
from publish.handout.typesetting import build_handout
from publish.staff_bundle import STAFF_PDF, staff_files
from publish.student_bundle import STUDENT_BUNDLE, student_bundle, student_files

ASSIGNMENT = load_assignment()
COMMAND = "run `make publish`"


def shown(findings: list[Finding]) -> str:
    return "\n".join(map(str, findings))


# Drift ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def artefacts() -> list[Artefact]:
    build_handout(STAFF_PDF, staff=True)  # a part of staff.zip
    return [*drift.in_the_tree(), *drift.bundles()]


def test_no_generated_file_has_drifted(artefacts: list[Artefact]) -> None:
    kept = [artefact for artefact in artefacts if ROOT / "build" not in artefact.path.parents]
    findings = drift.drifted(kept)
    assert not findings, shown(findings)


def test_every_kind_of_artefact_is_compared(artefacts: list[Artefact]) -> None:
    paths = {artefact.path for artefact in artefacts}
    assert {ROOT / "hw4" / name for name in ASSIGNMENT.submission.code} <= paths
    assert {BARS_FILE, ROOT / "hw4" / "reference_curves.csv", ROOT / "hw4" / "reference_curves_ungraded.csv"} <= paths
    assert set((ROOT / "notebooks" / "source").rglob("*.ipynb")) <= paths
    assert set((ROOT / "notebooks" / "release").rglob("*.ipynb")) <= paths
    assert {path for path in FIGURES.iterdir() if path.suffix == ".svg"} <= paths
    assert {PDF, STAFF_PDF, *drift.BUNDLES} <= paths


def with_a_changed_line(content: bytes) -> tuple[bytes, int]:
    """One line in the middle changed, and its number."""
    lines = content.split(b"\n")
    index = len(lines) // 2
    lines[index] += b"!"
    return b"\n".join(lines), index + 1


def test_one_changed_line_in_any_artefact_is_found_with_its_file_line_and_command(artefacts: list[Artefact]) -> None:
    contents = {artefact.path: artefact.content for artefact in artefacts}
    for path, content in contents.items():
        if path.suffix == ".zip":
            continue
        planted, line = with_a_changed_line(content)
        (finding,) = drift.drifted(artefacts, read=lambda p, path=path, planted=planted: {**contents, path: planted}[p])  # type: ignore[misc]
        assert (finding.file, finding.line) == (path.relative_to(ROOT).as_posix(), line)
        assert finding.fix == COMMAND


@pytest.mark.parametrize("path", drift.BUNDLES, ids=lambda path: path.name)
def test_one_changed_line_inside_an_archive_is_found(artefacts: list[Artefact], path: Path) -> None:
    artefact = next(artefact for artefact in artefacts if artefact.path == path)
    with zipfile.ZipFile(BytesIO(artefact.content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    name = next(name for name, _ in members if name.endswith("hw4/training.py"))
    planted, line = with_a_changed_line(dict(members)[name])
    changed = zip_of((member, planted if member == name else content) for member, content in members)
    (finding,) = drift.drifted([artefact], read=lambda _: changed)
    assert (finding.file, finding.line) == (f"build/{path.name}/{name}", line)
    assert finding.fix == COMMAND


def test_a_missing_artefact_is_found(artefacts: list[Artefact]) -> None:
    (finding,) = drift.drifted(artefacts[:1], read=lambda _: None)
    assert str(finding) == f"hw4/{ASSIGNMENT.submission.code[0]}: is missing: {COMMAND}"


@pytest.mark.parametrize("path", drift.BUNDLES, ids=lambda path: path.name)
def test_an_archive_packed_twice_is_the_same_bytes(artefacts: list[Artefact], path: Path) -> None:
    build = drift.BUNDLES[path]
    assert build() == build()


# Recorded runs --------------------------------------------------------------------------------------------------------


def test_recorded_runs_belong_to_todays_code() -> None:
    findings = [*stale_runs.stale_curves(), *stale_runs.stale_others()]
    assert not findings, shown(findings)


@pytest.mark.parametrize("curve", ASSIGNMENT.curves, ids=lambda curve: curve.id)
def test_bars_rest_on_at_least_40_reference_runs(curve) -> None:  # type: ignore[no-untyped-def]
    assert sum(run.implementation == "reference" for run in read_recorded(curve)) >= 40


def test_the_reference_passes_the_curves_as_recorded() -> None:
    findings = list(stale_runs.reference_misses())
    assert not findings, shown(findings)


def test_a_bar_above_the_reference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    bars = {curve_id: dataclasses.replace(bar, bar=1e6) for curve_id, bar in stale_runs.load_bars().items()}
    monkeypatch.setattr(stale_runs, "load_bars", lambda: bars)
    findings = list(stale_runs.reference_misses())
    assert [f.file for f in findings] == [f"autograder/recorded/reference/{i.id}.csv" for i in ASSIGNMENT.run_items]


def test_a_changed_solution_makes_the_recorded_runs_stale() -> None:
    experiment = EXPERIMENTS["cartpole"]
    code = reference_code()
    changed = {**code, "mpc.py": code["mpc.py"].replace(b"returns + reward", b"returns - reward")}
    reworded = {**code, "mpc.py": code["mpc.py"].replace(b"Clip before scoring", b"First clip")}
    assert code_hash(changed, experiment) != code_hash(code, experiment)
    assert code_hash(reworded, experiment) == code_hash(code, experiment)
    tree = ast.parse(code["mpc.py"])
    tree.body.sort(key=lambda node: isinstance(node, ast.ClassDef))
    reordered = ast.unparse(tree).encode()
    assert reordered != ast.unparse(ast.parse(code["mpc.py"])).encode()
    assert code_hash({**code, "mpc.py": reordered}, experiment) == code_hash(code, experiment)


def test_a_changed_setting_fails_the_gate_with_the_minutes_that_recording_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curve = ASSIGNMENT.curves[1]
    changed = dataclasses.replace(EXPERIMENTS[curve.experiment], horizon=EXPERIMENTS[curve.experiment].horizon + 1)
    monkeypatch.setitem(EXPERIMENTS, curve.experiment, changed)
    (finding,) = stale_runs.stale_curves()
    assert (finding.file, finding.line) == (f"autograder/recorded/reference/{curve.id}.csv", 3)
    assert "no run of reference, " in finding.says
    runs = [run for run in read_recorded(curve) if run.cpu_seconds > 0]
    per_run = sum(run.cpu_seconds for run in runs) / len(runs)
    # 165 of the reference, 40 of each variant, 12 of each bug, two at once
    at_least = (165 + 40) * min(run.cpu_seconds for run in runs) / 2 / 60
    asked = re.match(r"run `make calibrate`, about (\d+) minutes, see 'Recalibrate", finding.fix)
    assert asked is not None
    assert at_least <= int(asked[1]) <= 100 * per_run
    assert not list(stale_runs.reference_misses())  # the bars are those of the recorded runs still


def test_a_changed_setting_of_what_the_handout_shows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = dataclasses.replace(EXPERIMENTS["cliff_hill"], learning_rate=0.5)
    monkeypatch.setitem(EXPERIMENTS, "cliff_hill", changed)
    files = {finding.file for finding in stale_runs.stale_others()}
    assert {"handout/data/cliff_hill_versions.csv", "handout/data/cliff_hill_paths.csv"} <= files


def test_the_minutes_follow_from_the_processor_time_on_record() -> None:
    curve = ASSIGNMENT.curves[0]
    run = dataclasses.replace(read_recorded(curve)[0], cpu_seconds=60.0)
    assert stale_runs.minutes(curve, ["reference"], [run]) == round(165 / 2)  # two at once, a minute each
    assert stale_runs.minutes(curve, ["reference"], []) == 1


# Students -------------------------------------------------------------------------------------------------------------


def test_nothing_private_is_in_the_student_bundle() -> None:
    findings = list(leaks.private_in(dict(student_files())))
    assert not findings, shown(findings)


def planted_leaks() -> Iterator[tuple[str, str, str]]:
    """(file, line that is planted, what must be said)."""
    source = (ROOT / "solutions" / "mpc.py").read_text(encoding="utf-8")
    _, _, after = source.partition("### BEGIN SOLUTION cem_refit")
    region = [line for line in after.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    yield "hw4/agents.py", "\n".join(region[:2]), "contains the solution of cem_refit"
    yield "hw4/experiments.py", f"SEED = {leaks.load_private().master_seed}", "contains the master seed"
    run = leaks.graded_runs(ASSIGNMENT.curves[0].id)[0]
    yield "hw4/tasks.py", f"World(actuator_gain={run.world.actuator_gain})", "contains a hidden world"
    yield "hw4/tasks.py", f"seed={run.env_seed}", "contains a hidden seed"
    yield "hw4/checking/hints/mpc.py", "from autograder.hidden_tests import oracles", "contains a hidden test"
    yield "hw4/mpc.py", "    ### BEGIN SOLUTION cem_refit: hint", "contains private text"
    yield "notebooks/data/distribution_shift/note.csv", "**Rubric.** Full: both", "contains private text"


@pytest.mark.parametrize(("file", "line", "says"), list(planted_leaks()), ids=lambda text: text[:24])
def test_a_planted_leak_is_found_where_it_is(file: str, line: str, says: str) -> None:
    files = dict(student_files())
    before = files.get(file, b"")
    findings = list(leaks.private_in({file: before + line.encode() + b"\n"}))
    where = (f"build/student.zip/{file}", before.count(b"\n") + 1)
    assert [f for f in findings if (f.file, f.line) == where and f.says.startswith(says)], shown(findings)


@pytest.mark.parametrize(
    "name",
    ["solutions/mpc.py", "hw4/solutions/mpc.py", "hw4/solutions.zip", "autograder/private.toml", "hw4/mpc.py.orig"],
)
def test_a_file_that_is_not_on_the_list_is_found(name: str) -> None:
    findings = list(leaks.private_in({name: b""}))
    assert [f for f in findings if "is not on the list" in f.says]


def test_a_model_answer_in_a_notebook_is_found() -> None:
    answer = sorted(leaks._written_solutions())[0]
    findings = list(leaks.private_in({"notebooks/x.ipynb": answer.encode()}))
    assert [f for f in findings if "contains a line of a model answer" in f.says]


def test_students_install_what_staff_do_but_for_what_their_bundle_does_not_use() -> None:
    """No file of the bundle may need what is left out: Python files and notebooks are read for imports."""
    files = dict(student_files())
    everything = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    installed = files["requirements.txt"].decode().splitlines()
    assert [line for line in everything if line not in installed] == ["nbgrader>=0.9.5"]
    assert [line for line in installed if line not in everything] == []
    for name, content in files.items():
        if name.endswith((".py", ".ipynb")):
            assert not re.search(rb"(import|from) nbgrader", content), name


def test_the_staff_bundle_holds_the_answers_and_no_student_s_data(tmp_path: Path) -> None:
    names = dict(staff_files())
    assert {"solutions/mpc.py", "autograder/private.toml", "handout-staff.pdf", ".ci/run"} <= names.keys()
    unwanted = ("build/", "runs/", ".venv/", "notebooks/submitted", "extensions.csv", "gradebook.db")
    assert not [name for name in names if any(part in name for part in (*unwanted, "__pycache__"))]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert set(tracked) <= names.keys(), "a file under version control is missing from publish/staff_bundle.py"


def test_the_workflow_of_a_fork_runs_the_one_command() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]


@pytest.mark.verify
def test_the_student_bundle_works_by_itself() -> None:
    findings = list(rehearsal.rehearse(student_bundle()))
    assert not findings, shown(findings)


@pytest.mark.verify
def test_a_bundle_without_a_module_does_not_work() -> None:
    files = [(f"{rehearsal.BUNDLE_FOLDER}/{name}", content) for name, content in student_files()]
    without = zip_of((name, content) for name, content in files if not name.endswith("/hw4/networks.py"))
    assert [f for f in rehearsal.rehearse(without) if "pytest --collect-only" in f.says]


def test_the_bundle_works_without_the_repository(tmp_path: Path) -> None:
    """Unpacked elsewhere: an unwritten stub says what to do. `make publish` and `make verify` go further."""
    with zipfile.ZipFile(BytesIO(student_bundle())) as archive:
        archive.extractall(tmp_path)
    folder = next(path for path in tmp_path.iterdir() if path.is_dir())
    command = [sys.executable, "-m", "pytest", "hw4/tests", "-q", "-m", "cem_refit", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 1
    assert "NotImplementedError: cem_refit: write refit_to_elites in hw4/mpc.py" in run.stdout
    assert str(ROOT) not in run.stdout


def test_the_gate_counts_what_is_not_right_and_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("hw4/mpc.py", 3, "is wrong", "fix it")
    assert gate.run({"all is well": lambda: [], "so is this": lambda: [finding, finding]}) == 2
    printed = capsys.readouterr()
    assert "all is well ... yes" in printed.out
    assert "so is this ... no" in printed.out
    assert "hw4/mpc.py:3: is wrong: fix it" in printed.err


@pytest.mark.parametrize(("fix", "continues"), [(ADD_PROBLEM, False), (drift.WRITE, True)])
def test_while_files_are_missing_nothing_else_is_checked(fix: str, continues: bool) -> None:
    asked: list[str] = []

    def ask() -> list[Finding]:
        asked.append("the next check")
        return []

    missing = Finding("assignment.toml", 3, "cem_refit has no public test", fix)
    assert gate.run({gate.NAMES: lambda: [missing], "no generated file has drifted": ask}) == 1
    assert bool(asked) == continues


# Changing the course: on a copy of the tree ---------------------------------------------------------------------------


@pytest.mark.verify  # half a minute
def test_term_dates_points_settings_and_a_todo_are_changed_in_one_place_each_and_everything_follows(
    tmp_path: Path,
) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    facts = tree / "assignment.toml"
    edit(facts, f'term = "{ASSIGNMENT.course.term}"', 'term = "Autumn 2041"')
    edit(facts, "release = 2027-03-01", "release = 2041-09-02")
    edit(facts, "due = 2027-03-15", "due = 2041-09-19")
    edit(
        facts,
        'symbol = "fit_normalizer"\nlines = 4\nminutes = 15\npoints = 3',
        'symbol = "fit_normalizer"\nlines = 4\nminutes = 15\npoints = 2',
    )
    edit(
        facts,
        'symbol = "DynamicsModel.predict"\nlines = 3\nminutes = 20\npoints = 5',
        'symbol = "DynamicsModel.predict"\nlines = 3\nminutes = 20\npoints = 6',
    )
    edit(
        tree / "solutions" / "mpc.py",
        "### BEGIN SOLUTION cem_refit: ",
        "### BEGIN SOLUTION cem_refit: think of torch.topk, ",
    )
    edit(tree / "hw4" / "experiments.py", "population_size=80", "population_size=83")

    written = run(tree, "-m", "publish", "write")
    assert written.returncode == 0, written.stderr
    for name in ("hw4/mpc.py", "notebooks/release/hw4/distribution_shift.ipynb", "handout.pdf", "build/student.zip"):
        assert f"wrote {name}" in written.stdout
    assert "# TODO(cem_refit): think of torch.topk, " in (tree / "hw4" / "mpc.py").read_text(encoding="utf-8")
    notebook = (tree / "notebooks" / "release" / "hw4" / "distribution_shift.ipynb").read_text(encoding="utf-8")
    assert "Autumn 2041" in notebook
    assert ASSIGNMENT.course.term not in notebook
    with zipfile.ZipFile(tree / "build" / "student.zip") as archive:
        packed = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    for name in ("hw4/mpc.py", "hw4/experiments.py", "assignment.toml", "handout.pdf"):
        assert packed[name] == (tree / name).read_bytes()
    assert b'"version": "2041-09-02.' in packed["hw4/bundle.json"]
    facts_of_handout = (
        "import json; from hw4.handin.assignment import load_assignment as load;"
        "from publish.handout.facts import gather_facts;"
        "facts = gather_facts(load()); print(json.dumps([facts['course'], facts['stubs'][:2], facts['settings']]))"
    )
    shown_facts = run(tree, "-c", facts_of_handout).stdout
    for fact in (
        "Autumn 2041",
        "Monday 2 September 2041",
        "Thursday 19 September 2041, 23:59",
        '"points": 6',
        '"83"',
    ):
        assert fact in shown_facts

    checked = run(tree, "-m", "publish", "drift")
    assert "no generated file has drifted ... yes" in checked.stdout, checked.stderr
    assert checked.returncode == 1  # the hyper-parameter: recorded curves are stale
    assert "run `make calibrate`, about " in checked.stderr


def test_a_renamed_function_is_listed_with_every_place_that_names_it(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    edit(tree / "solutions" / "mpc.py", "def refit_to_elites(", "def refit(")
    findings = list(places.misnamed(tree))
    first = findings[0]
    assert first.file == "assignment.toml"
    assert (tree / first.file).read_text().splitlines()[(first.line or 0) - 1] == 'symbol = "refit_to_elites"'
    assert first.says == "solutions/mpc.py has no refit_to_elites; the region of cem_refit is in refit"
    files = {finding.file for finding in findings}
    assert {"hw4/tests/test_mpc.py", "autograder/hidden_tests/test_mpc.py", "hw4/checking/examples/mpc.py"} <= files
    assert {"solutions/mpc.py", "hw4/checking/subject.py"} <= files
    assert {finding.fix for finding in findings} == {"see 'Rename a function' in docs/new-term.md"}
    for finding in findings[1:]:
        text = (tree / finding.file).read_text(encoding="utf-8").splitlines()[(finding.line or 0) - 1]
        assert "refit_to_elites" in text


def test_a_rename_is_listed_until_every_line_has_the_new_name_and_makes_no_curve_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    edit(tree / "solutions" / "mpc.py", "def refit_to_elites(", "def refit(")
    edit(tree / "assignment.toml", 'symbol = "refit_to_elites"', 'symbol = "refit"')
    findings = list(places.misnamed(tree))
    files = {finding.file for finding in findings}
    assert {
        "tests/test_publish.py",
        "solutions/mpc.py",
        "autograder/hidden_tests/test_mpc.py",
    } <= files
    assert any(file.startswith("autograder/zoo/animals/") for file in files)
    code = reference_code()
    renamed = {name: re.sub(rb"\brefit_to_elites\b", b"refit", content) for name, content in code.items()}
    assert code_hash(renamed, EXPERIMENTS["cartpole"]) != code_hash(code, EXPERIMENTS["cartpole"])
    before = code_hash(code, EXPERIMENTS["cartpole"])
    monkeypatch.setattr("autograder.recorded.code_hash.renamed", lambda: {"refit": "refit_to_elites"})
    assert code_hash(renamed, EXPERIMENTS["cartpole"]) == before
    more = {**renamed, "mpc.py": renamed["mpc.py"].replace(b"returns + reward", b"returns - reward")}
    assert code_hash(more, EXPERIMENTS["cartpole"]) != before
    two = {**renamed, "mpc.py": renamed["mpc.py"] + b"\n\ndef refit_to_elites():\n    return refit\n"}
    assert code_hash(two, EXPERIMENTS["cartpole"]) != before  # the old name means something else


def test_a_call_of_a_function_that_is_gone_is_listed(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    edit(tree / "solutions" / "mpc.py", "def refit_to_elites(", "def refit(")
    edit(tree / "assignment.toml", 'symbol = "refit_to_elites"', 'symbol = "refit"')
    says = {(finding.file, finding.says) for finding in places.misnamed(tree)}
    wanted = "calls mpc.refit_to_elites, which solutions/mpc.py does not have"
    assert ("autograder/hidden_tests/test_mpc.py", wanted) in says
    assert ("hw4/checking/examples/mpc.py", wanted) in says
    assert ("hw4/tests/test_mpc.py", "imports refit_to_elites, which solutions/mpc.py does not have") in says


def test_a_dropped_problem_is_listed_wherever_it_is_named(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    text = (tree / "assignment.toml").read_text(encoding="utf-8")
    kept = [
        table
        for table in text.replace("\n[[", "\0[[").split("\0")
        if 'problem = "ensembles"' not in table
        and 'id = "ensembles"' not in table
        and 'id = "curve_ledge"' not in table
    ]
    text = "\n".join(kept).replace(
        'points = 20\nsection = "Does it work? Yes and no"', 'points = 13\nsection = "Does it work? Yes and no"'
    )
    for stub in ASSIGNMENT.stubs_of("ensembles"):  # that an effect of a topic needs
        text = text.replace(f'"{stub.id}", ', "")
    (tree / "assignment.toml").write_text(text, encoding="utf-8")
    findings = [finding for finding in places.misnamed(tree) if finding.fix == DROP_PROBLEM]
    files = {finding.file for finding in findings}
    assert {"solutions/ensemble.py", "hw4/tests/test_ensemble.py", "autograder/hidden_tests/test_ensemble.py"} <= files
    assert {"hw4/checking/examples/ensemble.py", "autograder/zoo/animals/ensemble.toml", "handout/handout.typ"} <= files
    assert "autograder/recorded/reference/curve_ledge.csv" in files
    assert any("names the problem 'ensembles'" in finding.says for finding in findings)


def test_a_new_curve_is_listed_with_all_that_it_lacks(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    edit(tree / "assignment.toml", 'title = "Learning curves"\npoints = 20', 'title = "Learning curves"\npoints = 25')
    curve = 'id = "curve_new"\nproblem = "curves"\nexperiment = "reacher"\ntitle = "New"\nscore_episodes = 1\n'
    with (tree / "assignment.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[curves]]\n{curve}needs = ["cem_plan"]\npoints = 5\n')
    line = (tree / "assignment.toml").read_text().splitlines().index('id = "curve_new"') + 1
    findings = list(places.misnamed(tree))
    assert {finding.line for finding in findings} == {line}
    assert [finding.says for finding in findings] == [
        "no animal names curve_new in curves_fail: nothing sets its floor",
        "nothing is recorded for curve_new",
    ]
    assert [finding.fix for finding in findings] == [ADD_CURVE, "run `make calibrate`, then `make publish`"]


def test_a_new_effect_is_listed_with_all_that_it_lacks(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    edit(tree / "assignment.toml", 'title = "Learning curves"\npoints = 20', 'title = "Learning curves"\npoints = 25')
    effect = 'id = "gain"\nproblem = "curves"\ntitle = "New"\nunit = "m"\nneeds = ["cem_plan"]\npoints = 5\n'
    with (tree / "assignment.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[[effects]]\n{effect}")
    line = (tree / "assignment.toml").read_text().splitlines().index('id = "gain"') + 1
    findings = list(places.misnamed(tree))
    assert {finding.line for finding in findings} == {line}
    assert [(finding.says, finding.fix) for finding in findings] == [
        ("no hidden check computes gain", ADD_EFFECT),
        ("no animal names gain in curves_fail: nothing sets its floor", ADD_EFFECT),
        ("nothing is recorded for gain", "run `make calibrate`, then `make publish`"),
    ]


def test_a_new_stub_is_listed_with_all_that_it_lacks_and_with_the_right_recipe(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    text = (tree / "assignment.toml").read_text(encoding="utf-8").replace('"cem_refit"', '"cem_refits"')
    (tree / "assignment.toml").write_text(text, encoding="utf-8")
    findings = {finding.says: finding.fix for finding in places.misnamed(tree) if finding.file == "assignment.toml"}
    assert findings == dict.fromkeys(
        (
            "cem_refits has no solution region in solutions/mpc.py",
            "cem_refits has no worked example in hw4/checking/examples/mpc.py",
            "cem_refits has no public test in hw4/tests/test_mpc.py",
            "cem_refits has no hidden test in autograder/hidden_tests/test_mpc.py",
            "cem_refits has no list of sentences in autograder/hidden_tests/mpc_sentences.toml",
            "cem_refits has no animal of the zoo in autograder/zoo/animals/mpc.toml",
            "cem_refits has no box in the handout in handout/handout.typ",
        ),
        ADD_PROBLEM,
    )


def test_a_notebook_without_a_master_and_a_master_without_a_table_are_listed(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    (tree / "notebooks" / "masters" / "replanning.py").rename(tree / "notebooks" / "masters" / "new.py")
    says = {finding.file: finding.says for finding in places.misnamed(tree)}
    assert says == {
        "assignment.toml": "notebooks/masters has no replanning.py",
        "notebooks/masters/new.py": "new.ipynb is in no [[notebooks]] of assignment.toml",
        **dict.fromkeys(
            (
                *(path.relative_to(tree).as_posix() for path in (tree / "notebooks/data/replanning").iterdir()),
                "notebooks/source/hw4/replanning.ipynb",
                "notebooks/release/hw4/replanning.ipynb",
            ),
            "belongs to no notebook: notebooks/masters has no replanning.py",
        ),
    }


def test_every_recipe_that_the_gate_names_is_in_the_guide() -> None:
    recipes = [value for value in vars(findings_module).values() if isinstance(value, str) and value.startswith("see ")]
    assert len(recipes) > 10
    for recipe in recipes:
        _, title, where = recipe.split("'")
        guide = (ROOT / where.removeprefix(" in ")).read_text(encoding="utf-8").splitlines()
        assert f"## {title}" in guide


def test_every_finding_of_the_gate_ends_with_a_command_or_a_recipe() -> None:
    """Whoever writes a finding has no other words for what to do."""
    known = {name for name, value in vars(findings_module).items() if str(value).startswith("see ")}
    known |= {"WRITE", "FIX", "LIST_IT", "fix"}
    for path in sorted((ROOT / "publish").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Finding", "at") and len(node.args) > 2:
                fix = node.args[-1]
                says = ast.unparse(fix)
                named = {name.id for name in ast.walk(fix) if isinstance(name, ast.Name)}
                assert named & (known | {"add"}) or "run `" in says, f"{path.name}:{fix.lineno}: {says}"


def test_every_name_is_known_today() -> None:
    findings = list(places.misnamed())
    assert not findings, shown(findings)


def test_implementations_of_each_curve_have_runs() -> None:
    for curve in ASSIGNMENT.curves:
        assert {run.implementation for run in read_recorded(curve)} >= implementations(curve).keys()


def test_the_student_bundle_is_where_the_readme_says() -> None:
    assert STUDENT_BUNDLE.relative_to(ROOT).as_posix() in (ROOT / "README.md").read_text(encoding="utf-8")
