"""The student's commands, in a solved tree, in the released one, and in one full of mistakes."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from student_tree import run_python

import hw4.checking.public_tests
import hw4.commands.cli
import hw4.commands.plots
from hw4.checking.causes import cause_of_exception
from hw4.checking.failure import Failure
from hw4.checking.hints import HINTS
from hw4.checking.public_tests import StubReport, check_stubs
from hw4.checking.report import explain, select_stubs, show
from hw4.commands.cli import main
from hw4.commands.plots import draw_runs, median_curve, read_bands
from hw4.commands.runs import LearningCurve, RunError, read_run, read_trajectory, seed_folders
from hw4.commands.scores import describe_scores
from hw4.experiments import EXPERIMENTS
from hw4.handin.assignment import load_assignment
from hw4.handin.intake import read_submission
from publish.stubs import write_solved

ROOT = Path(__file__).resolve().parent.parent
ASSIGNMENT = load_assignment()
REFIT, CEM = (ASSIGNMENT.stub(stub_id).number for stub_id in ("cem_refit", "cem_plan"))
REQUIRED = [stub for stub in ASSIGNMENT.stubs if not ASSIGNMENT.is_optional(stub)]
NOTEBOOK = "distribution_shift.ipynb"
QUICK = [
    *("--num-episodes", "2", "--num-initial-episodes", "1", "--gradient-steps", "3", "--horizon", "6"),
    *("--population-size", "8", "--num-elites", "2", "--num-kept-elites", "1", "--refit-every", "20"),
]


TRAIN_ALL = f"""
from pathlib import Path
import torch
from hw4.agents import build_agent
from hw4.commands.cli import main
from hw4.envs import make_env
from hw4.commands.runs import read_run
from hw4.training import train
for experiment, seeds in (("cliff_hill", ("3", "7")), ("cartpole_ensemble", ("0",)), ("ledge", ("0",))):
    assert main(["train", experiment, "--seeds", *seeds, "--name", "tiny", *{QUICK}]) == 0
run = read_run(Path("runs/cliff_hill/tiny"))
records = train(make_env("cliff_hill"), build_agent(run.settings, 7), num_episodes=2, seed=7)
print("without a recorder:", [record.episode_return for record in records])
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A solved tree with one tiny run of the cliff hill and one of the ensemble, and what was printed."""
    tree = write_solved(tmp_path_factory.mktemp("student") / "solved")
    done = run_python(tree, "-c", TRAIN_ALL)  # one process: what takes the time is the import of torch
    assert done.returncode == 0, done.stderr
    return tree, done.stdout


@pytest.fixture(scope="module")
def solved(trained: tuple[Path, str]) -> Path:
    return trained[0]


def write_released(tree: Path) -> Path:
    """What a student gets: every stub is still open."""
    shutil.copytree(ROOT / "hw4", tree / "hw4", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "assignment.toml", tree)
    return tree


@pytest.fixture
def in_tree(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes the commands of this process work in a tree, as if its hw4 were the one imported."""

    def enter(tree: Path) -> None:
        monkeypatch.chdir(tree)
        monkeypatch.setattr(hw4.commands.cli, "PACKAGE", tree / "hw4")

    return enter


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


# help, README ---------------------------------------------------------------------------------------------------------


def test_help_is_quick_to_load_and_names_every_command() -> None:
    program = (
        "import sys, hw4.commands.cli; print([m for m in ('torch', 'matplotlib', 'gymnasium') if m in sys.modules])"
    )
    done = run_python(ROOT, "-c", f"{program}; hw4.commands.cli.main(['--help'])")
    assert done.stdout.startswith("[]\n")
    assert all(command in done.stdout for command in ("train", "plot", "video", "check", "submit"))


def test_train_help_shows_the_defaults_of_that_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "cartpole_ensemble", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "number of networks; 1 trains one network on all the data (default: 5)" in shown
    assert "--experiment" not in shown
    assert "--task-name" not in shown  # another task is another experiment


@pytest.mark.parametrize("command", ["fall", "train", "train ledge", "plot", "video", "check", "submit", "update"])
def test_help_says_of_every_option_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A docstring that its parser cannot read would be shown raw, and its options would have no text."""
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    assert "Args:" not in shown
    entries = re.split(r"^(?:  |│ )(?=--?[a-z]|\[|[A-Z]{2})", shown, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        words = entry.replace("(required)", "").partition("(default")[0]
        assert re.search(r"[a-z]{2} \w", words), entry


def test_the_readme_names_everything_that_is_handed_in() -> None:
    readme = (ROOT / "hw4" / "README.md").read_text(encoding="utf-8")
    for name in ASSIGNMENT.required_code:
        assert f"`hw4/{name}`" in readme
    for name in (notebook.file for notebook in ASSIGNMENT.notebooks if not notebook.optional):
        assert f"    jupyter lab notebooks/{name}\n" in readme


# train ----------------------------------------------------------------------------------------------------------------


def test_train_says_the_returns_and_what_to_do_next(trained: tuple[Path, str]) -> None:
    tree, printed = trained
    for experiment in ("cliff_hill", "ledge"):
        folder = Path("runs", experiment, "tiny")
        assert f"return {read_run(tree / folder).curves[0].returns[-1]:.1f}" in printed
        assert f"python -m hw4 plot {folder}" in printed
        for seed in read_run(tree / folder).curves:
            assert f"seed {seed.seed}: {seed.returns[1]:.2f}\n" in printed  # and no verdict on other settings
        assert f"{folder}: score of each seed" in printed
    assert printed.count("This is not the graded agent") == 2


def test_train_writes_one_row_per_episode_and_the_settings_it_used(solved: Path) -> None:
    folder = solved / "runs" / "cliff_hill" / "tiny"
    assert [path.name for path in seed_folders(folder)] == ["seed_3", "seed_7"]
    with (folder / "seed_3" / "learning_curve.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["episode", "env_steps", "return"]
    assert [row[:2] for row in rows[1:]] == [["0", "40"], ["1", "80"]]
    run = read_run(folder)
    assert run.experiment == "cliff_hill"
    assert (run.settings.horizon, run.settings.width) == (6, EXPERIMENTS["cliff_hill"].width)


def test_the_recorded_plans_start_where_the_episode_was(solved: Path) -> None:
    trajectory = read_trajectory(solved / "runs" / "cartpole_ensemble" / "tiny" / "seed_0")
    assert trajectory.observations.shape == (101, 5)
    assert trajectory.imagined.shape == (100, 5, 7, 5)  # replans at every step; 5 members; 6 steps ahead
    np.testing.assert_array_equal(trajectory.plan_steps, np.arange(100))
    starts = np.broadcast_to(trajectory.observations[:100, None], (100, 5, 5))
    np.testing.assert_allclose(trajectory.imagined[:, :, 0], starts, rtol=1e-5, atol=1e-5)
    assert np.ptp(trajectory.imagined[:, :, -1], axis=1).max() > 1e-3  # the members disagree


def test_recording_plans_does_not_change_the_run(trained: tuple[Path, str]) -> None:
    tree, printed = trained
    returns = read_run(tree / "runs" / "cliff_hill" / "tiny").curves[1].returns
    assert printed.strip().endswith(f"without a recorder: {list(returns)}")


def test_training_with_open_stubs_names_the_first_one_and_its_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "cliff_hill", "--seeds", "0"]) == 1
    errors = capsys.readouterr().err
    up_to = "the first of 8 up to ModelBasedAgent.record"
    assert f"Not written yet: fit_normalizer in hw4/dynamics_model.py (normalizer_fit), {up_to}" in errors
    assert "pytest hw4/tests -m normalizer_fit" in errors
    assert "Traceback" not in errors
    assert not any((tmp_path / "runs").rglob("*"))


# plot, video ----------------------------------------------------------------------------------------------------------


def test_plot_draws_runs_of_two_tasks_over_the_published_band(
    solved: Path, in_tree: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    in_tree(solved)
    assert main(["plot", "runs/cliff_hill/tiny", "runs/ledge/tiny", "--output", "curves.png"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Wrote curves.png\n")
    for experiment in ("cliff_hill", "ledge"):
        run = read_run(Path("runs", experiment, "tiny"))
        assert "\n".join(describe_scores(run, read_bands()[experiment])) in printed
    with Image.open(solved / "curves.png") as picture:
        assert picture.size == (1050, 1320)


def test_every_graded_curve_has_a_band_a_bar_and_a_floor(solved: Path) -> None:
    bands = read_bands()
    assert {curve.experiment for curve in ASSIGNMENT.curves} == bands.keys()
    for band in bands.values():
        assert band.floor is not None
        assert band.bar is not None
        assert band.floor < band.bar
    run = dataclasses.replace(read_run(solved / "runs" / "ledge" / "tiny"), settings=EXPERIMENTS["ledge"])
    (axes,) = draw_runs([run], bands).axes
    labels = axes.get_legend_handles_labels()[1]
    assert [label.partition(", ")[2].split()[0] for label in labels[:4]] == ["reference", "reference", "bar", "floor"]


def test_plot_says_when_there_is_no_band(
    solved: Path,
    in_tree: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    in_tree(solved)
    reference = tmp_path / "reference_curves.csv"
    monkeypatch.setattr(hw4.commands.plots, "REFERENCE_FILE", reference)
    command = ["plot", "runs/cliff_hill/tiny", "--output", "curves.pdf", "--overwrite"]
    assert main(command) == 0
    assert "band, bar and floor for cliff_hill: hw4/reference_curves.csv is missing" in capsys.readouterr().out
    reference.write_text("# generated\ncurve,env_steps,low,median,high,bar,floor\nother,40,-9,1,5,3,\n")
    assert (read_bands(reference)["other"].bar, read_bands(reference)["other"].floor) == (3.0, None)
    assert main(command) == 0
    assert "for cliff_hill: hw4/reference_curves.csv has none" in capsys.readouterr().out


def test_the_median_is_taken_where_every_seed_has_been() -> None:
    curves = [LearningCurve(0, (10, 20, 30), (1.0, 2.0, 3.0)), LearningCurve(1, (10, 20), (5.0, 8.0))]
    assert median_curve(curves) == ([10, 20], [3.0, 5.0])


@pytest.mark.parametrize("experiment", ["cliff_hill", "cartpole_ensemble", "ledge"])
def test_video_draws_a_frame_for_every_so_many_steps(
    solved: Path, in_tree: Callable[[Path], None], experiment: str
) -> None:
    in_tree(solved)
    assert main(["video", f"runs/{experiment}/tiny", "--every", "20"]) == 0
    folder = seed_folders(solved / "runs" / experiment / "tiny")[0]
    with Image.open(folder / "last_episode.gif") as picture:
        num_steps = EXPERIMENTS[experiment].task.episode_length
        assert getattr(picture, "n_frames", 1) == num_steps // 20 + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "cartpole", "--version", "1.5", "--replan-every", "5"], "leave out one of the two"),
        (
            ["train", "cartpole", "--replan-every", "50"],
            "--replan-every must be at most --horizon, which is 20, got 50",
        ),
        (["train", "cliff_hill", "--name", "tiny"], "already exists"),
        (["train", "cliff_hill", "--name", "../x"], "a run's name may contain only"),
        (
            ["train", "cliff_hill", "--seeds", "1", "1"],
            "must be different whole numbers, 0 or more, such as --seeds 0 1 2, got 1 1",
        ),
        (["plot", "runs/nowhere"], "is not a run folder"),
        (["plot"], "plot needs a run folder"),
        (["plot", "runs"], "is not a run folder"),
        (["plot", "runs/cliff_hill"], "contains several runs: give one or more of"),
        (["video", "runs/cliff_hill/tiny", "--seed", "4"], "has no seed 4, only seed_3, seed_7"),
        (["video", "runs/cliff_hill/tiny", "--output", "x.avi"], "must end in .gif or .mp4"),
        (["submit", "--output", "x.rar"], "must end in .zip"),
    ],
)
def test_a_mistaken_command_ends_with_one_line(
    solved: Path,
    in_tree: Callable[[Path], None],
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    in_tree(solved)
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert len(errors.strip().splitlines()) == 1
    assert message in errors


def test_a_run_of_another_version_is_named_not_guessed(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "seed_0"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"experiment": "x", "settings": {"depth": 1}}', encoding="utf-8")
    with pytest.raises(RunError, match="is not what this version of hw4 writes"):
        read_run(tmp_path / "run")


# check ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mistaken(solved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solved tree with five slips."""
    tree = tmp_path_factory.mktemp("mistaken")
    shutil.copytree(solved / "hw4", tree / "hw4", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "assignment.toml", tree)
    mpc, ensemble = tree / "hw4" / "mpc.py", tree / "hw4" / "ensemble.py"
    replace_in(mpc, "smoothing * mean + (1.0 - smoothing) * elite_mean", "(1.0 - smoothing) * mean + 0.1 * elite_mean")
    replace_in(
        mpc, "smoothing * std + (1.0 - smoothing) * elite_std", "(1.0 - smoothing) * std + smoothing * elite_std"
    )
    replace_in(mpc, ".expand(*observation.shape[:-1], num_sequences, -1)", ".expand(num_sequences, -1)")
    replace_in(
        ensemble, "return torch.randint(num_transitions,", "while True: pass\n    return torch.randint(num_transitions,"
    )
    with (tree / "hw4" / "dynamics_model.py").open("a", encoding="utf-8") as file:
        file.write("def f(:\n")
    return tree


CHECKED = ("p1", "sequence_returns", "cem_refit", "cem_plan", "mpc_act", "bootstrap_indices")


@pytest.fixture(scope="module")
def reports(mistaken: Path) -> dict[str, StubReport]:
    """What `check` finds in the mistaken tree: two runs of pytest, the second without the endless loop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hw4.checking.public_tests, "PACKAGE", mistaken / "hw4")
        patch.setattr(hw4.checking.public_tests, "SLACK", 0.8)  # 4 s
        stubs = select_stubs(ASSIGNMENT, list(CHECKED))
        found = {report.stub.id: report for report in check_stubs(stubs, Console(file=io.StringIO()))}
    return found


@pytest.fixture(scope="module")
def explanations(reports: dict[str, StubReport], mistaken: Path) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hw4.checking.public_tests, "PACKAGE", mistaken / "hw4")
        return {stub_id: explain(report) for stub_id, report in reports.items()}


def test_a_file_that_does_not_parse_is_not_checked_and_the_rest_is(
    reports: dict[str, StubReport], explanations: dict[str, str], mistaken: Path
) -> None:
    line = len((mistaken / "hw4" / "dynamics_model.py").read_text(encoding="utf-8").splitlines())
    for stub in ASSIGNMENT.stubs_of("dynamics"):
        assert reports[stub.id].status == "not checked"
        assert f"SyntaxError: invalid syntax (hw4/dynamics_model.py:{line})" in explanations[stub.id]
        assert "python -m py_compile hw4/dynamics_model.py" in explanations[stub.id]
    assert reports["mpc_act"].status == "done"


def test_a_stub_that_calls_a_failing_one_waits_for_it(
    reports: dict[str, StubReport], explanations: dict[str, str]
) -> None:
    assert reports["cem_refit"].status == "failing"
    assert reports["cem_plan"].status == "waiting"
    assert explanations["cem_plan"] == f"cem calls refit_to_elites, which fails: fix {REFIT} first."


def test_shapes_that_do_not_fit_are_told_from_a_result_of_the_wrong_shape(explanations: dict[str, str]) -> None:
    explanation = explanations["sequence_returns"]
    assert explanation.startswith("Two shapes do not fit together in the line named")
    assert "(hw4/mpc.py:" in explanation
    assert cause_of_exception("RuntimeError", "The expanded size of the tensor (11) must match") == "shapes_do_not_fit"
    assert HINTS["wrong_shape"] != HINTS["shapes_do_not_fit"]


@pytest.mark.parametrize(
    ("type_name", "message", "cause"),
    [
        ("OSError", "[Errno 30] Read-only file system: 'x'", "raised"),
        ("NameError", "name 'cuda' is not defined", "raised"),
        ("KeyError", "'broadcast'", "raised"),
        ("UnboundLocalError", "cannot access local variable 'nonetype'", "raised"),
        ("ValueError", "assignment destination is read-only", "inplace"),
        ("OSError", "pytest: reading from stdin while output is captured", "asks_for_input"),
        ("numpy.exceptions.AxisError", "axis 2 is out of bounds for array of dimension 2", "index_beyond_end"),
    ],
)
def test_the_type_of_an_exception_decides_before_words_in_its_message(type_name: str, message: str, cause: str) -> None:
    assert cause_of_exception(type_name, message) == cause


def test_an_endless_loop_is_ended_and_the_grader_s_limit_named(
    reports: dict[str, StubReport], explanations: dict[str, str]
) -> None:
    report = reports["bootstrap_indices"]
    assert report.main_failure is not None
    assert report.main_failure.cause == "too_slow"
    assert "stopped after 4 s here; the grader gives each check 5 s" in explanations["bootstrap_indices"]


def test_a_function_is_checked_by_its_name_or_its_id() -> None:
    for name in ("cem_plan", "cem", CEM):
        assert [stub.symbol for stub in select_stubs(ASSIGNMENT, [name])] == ["cem"]
    for name in ("MPC.act", "act"):
        assert [stub.id for stub in select_stubs(ASSIGNMENT, [name])] == ["mpc_act"]
    curves = ASSIGNMENT.problem(ASSIGNMENT.curves[0].problem)
    with pytest.raises(ValueError, match=f"{curves.label} {curves.title} has no functions to check"):
        select_stubs(ASSIGNMENT, [curves.label.lower()])
    with pytest.raises(ValueError, match=f"an id .*{ASSIGNMENT.stubs[-1].id}"):
        select_stubs(ASSIGNMENT, ["nonsuch"])


def test_the_table_fits_80_columns_and_explains_below(reports: dict[str, StubReport], mistaken: Path) -> None:
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hw4.checking.public_tests, "PACKAGE", mistaken / "hw4")
        show(ASSIGNMENT, list(reports.values()), Console(file=printed, width=80))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    assert f"  {CEM}    cem                     waiting       fix {REFIT} first" in lines
    assert "1.1 fit_normalizer, 1.2 DynamicsModel.predict, 1.3 DynamicsModel.loss, 1.4 fit" in lines
    assert sum("py_compile" in line for line in lines) == 1
    assert f"1 of {len(reports)} done." in lines
    assert max(map(len, lines[:-1])) <= 80  # the last line is a command to paste
    assert lines[-3:] == [
        "Next: 1.1 fit_normalizer in hw4/dynamics_model.py",
        "hw4/dynamics_model.py could not be checked: see above.",
        "Run: pytest hw4/tests/test_dynamics_model.py -m normalizer_fit",
    ]


def failing(stub_id: str, cause: str) -> StubReport:
    failure = Failure(f"hw4/tests/test_mpc.py::test_{stub_id}", "CheckFailed", "plan is wrong", cause)
    return StubReport(ASSIGNMENT.stub(stub_id), failures=[failure])


@pytest.mark.parametrize(
    ("cause", "status"),
    [("wrong_value", "waiting"), ("smoothing_reversed", "waiting"), ("final_not_clipped", "failing")],
)
def test_a_cause_that_only_the_caller_can_have_is_still_explained(cause: str, status: str) -> None:
    report = failing("cem_plan", cause)
    report.calls_failing = failing("cem_refit", "smoothing_reversed")
    assert report.status == status
    first, *others = explain(report).splitlines()
    assert first == f"cem calls refit_to_elites, which fails: fix {REFIT} first."
    assert bool(others) == (status == "failing")


# submit ---------------------------------------------------------------------------------------------------------------


def test_submit_builds_what_the_grader_accepts(solved: Path) -> None:
    done = run_python(solved, "-m", "hw4", "submit")
    assert done.returncode == 0, done.stderr
    assert f"note: {NOTEBOOK} is missing: this costs only written points" in done.stdout
    assert f"All {len(REQUIRED)} stubs are started" in done.stdout
    assert "Only the grader can judge" in done.stdout
    intake = read_submission(solved / "hw4_submission.zip", ASSIGNMENT)
    assert set(intake.files) == set(ASSIGNMENT.submission.code)


def test_submit_says_first_what_the_grader_will_not_take(
    tmp_path: Path, in_tree: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write_released(tmp_path)
    (tree / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "release" / "hw4" / NOTEBOOK, tree / "notebooks")
    with (tree / "hw4" / "ensemble.py").open("a", encoding="utf-8") as file:
        file.write("import os\n")
    (tree / "hw4" / "dynamics_model.py").write_text("def f(:\n", encoding="utf-8")
    line = len((tree / "hw4" / "ensemble.py").read_text(encoding="utf-8").splitlines())
    in_tree(tree)
    assert main(["submit"]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    before, _, after = printed.out.partition("Wrote hw4_submission.zip")
    assert "FIX THIS: dynamics_model.py:1: Python cannot read this file" in before
    of_file = [stub for stub in ASSIGNMENT.stubs if stub.file == "dynamics_model.py"]
    others = [stub for stub in REQUIRED if stub not in of_file]
    assert f"The grader fails everything in it ({sum(stub.points for stub in of_file)} points)" in before
    assert f"FIX THIS: ensemble.py:{line}: import of os, which is not allowed" in before
    assert f"note: {NOTEBOOK}: not answered yet: answer-densities (2 points)" in after
    assert f"note: {NOTEBOOK}: no code cell has an output" in after
    assert f"Not checked: {len(of_file)} stubs, in dynamics_model.py" in after
    assert f"Not started: {len(others)} of {len(others)} stubs" in after
    assert f"{CEM} cem in hw4/mpc.py (5 points)" in after
    assert (tree / "hw4_submission.zip").is_file()  # near a deadline, something is better than nothing


def test_submit_says_what_is_wrong_with_notebooks_and_which_copies_it_leaves_out(
    tmp_path: Path, in_tree: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tree, released = write_released(tmp_path), ROOT / "notebooks" / "release" / "hw4"
    (tree / "notebooks").mkdir()
    large, broken, lacking, *_ = ASSIGNMENT.submission.notebooks
    (tree / "notebooks" / large).write_bytes(bytes(ASSIGNMENT.submission.max_notebook_bytes + 1))
    (tree / "notebooks" / broken).write_text("<<<<<<< HEAD", encoding="utf-8")
    notebook = json.loads((released / lacking).read_text(encoding="utf-8"))
    gone = next(cell for cell in notebook["cells"] if "points" in cell["metadata"].get("nbgrader", {}))
    notebook["cells"].remove(gone)
    (tree / "notebooks" / lacking).write_text(json.dumps(notebook), encoding="utf-8")
    (tree / "notebooks" / f"Copy of {lacking}").write_text("{}", encoding="utf-8")
    (tree / "hw4" / "mpc.py").rename(tree / "hw4" / "mpc (1).py")
    (tree / "hw4" / "ensemble.py").write_text("type X = int\n", encoding="utf-8")
    in_tree(tree)
    assert main(["submit"]) == 1
    before, _, after = capsys.readouterr().out.partition("Wrote hw4_submission.zip")
    assert f"FIX THIS: {large} cannot be read: it is larger than 10,000,000 bytes. To fix it, clear its large" in before
    assert f"FIX THIS: {broken} cannot be read: it is not valid JSON. To fix it, open it in Jupyter" in before
    assert "The code is graded all the same; this costs only written points (of 20)." in before
    assert "FIX THIS: ensemble.py:1: Python cannot read this file: " in before
    assert "a `type` statement needs Python 3.12, and the grader reads code as Python 3.11" in before
    assert f"{lacking}: the cells for these answers are missing or have lost their metadata: {gone['id']}" in after
    assert "mpc.py is not handed in; did you mean 'hw4/mpc (1).py'? If so, rename it to mpc.py" in after
    assert f"what looks like a copy of it is not: 'notebooks/Copy of {lacking}'" in after


def test_a_refusal_leaves_an_earlier_zip_and_says_so(
    tmp_path: Path, in_tree: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be all that a student can hand in a minute before the due time."""
    (tmp_path / "hw4").mkdir()
    in_tree(tmp_path)
    earlier = tmp_path / "hw4_submission.zip"
    earlier.write_bytes(b"handed in yesterday")
    assert main(["submit"]) == 1
    assert "hw4_submission.zip is still the one of an earlier time." in capsys.readouterr().err
    assert earlier.read_bytes() == b"handed in yesterday"


def test_submit_refuses_as_the_grader_would(
    tmp_path: Path, in_tree: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hw4").mkdir()
    in_tree(tmp_path)
    assert main(["submit"]) == 1
    errors = capsys.readouterr().err
    assert "Refused, as the grader would" in errors
    assert "earlier time" not in errors
    assert "none of the code files was found" in errors
    assert not (tmp_path / "hw4_submission.zip").exists()
