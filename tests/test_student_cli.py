"""The student's commands, run for real in a solved tree and in the released one."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hw4.assignment import load_assignment
from hw4.cli import main
from hw4.experiments import EXPERIMENTS
from hw4.plots import median_curve, read_bands
from hw4.runs import LearningCurve, RunError, read_run, read_trajectory, seed_folders
from hw4.submission import read_submission
from publish.stubs import write_solved

ROOT = Path(__file__).resolve().parent.parent
QUICK = [
    *("--num-episodes", "2", "--num-initial-episodes", "1", "--gradient-steps", "3", "--horizon", "6"),
    *("--population-size", "8", "--num-elites", "2", "--num-kept-elites", "1", "--refit-every", "20"),
]


def hw4(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m hw4 ARGUMENTS` in a tree that holds the package, as a student runs it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "PYTHONUTF8": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, "-m", "hw4", *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solved tree with one tiny run of the cliff hill and one of the ensemble."""
    tree = write_solved(tmp_path_factory.mktemp("student") / "solved")
    for experiment, seeds in (("cliff_hill", ("3", "7")), ("cartpole_ensemble", ("0",))):
        done = hw4(tree, "train", experiment, "--seeds", *seeds, "--name", "tiny", *QUICK)
        assert done.returncode == 0, done.stderr
        assert f"return {read_run(tree / 'runs' / experiment / 'tiny').curves[0].returns[-1]:.1f}" in done.stdout
        assert f"python -m hw4 plot {Path('runs', experiment, 'tiny')}" in done.stdout
    return tree


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a student gets: every stub is still open."""
    tree = tmp_path_factory.mktemp("released")
    shutil.copytree(ROOT / "hw4", tree / "hw4", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "assignment.toml", tree)
    return tree


def test_help_is_quick_to_load_and_names_every_command(released: Path) -> None:
    program = "import sys, hw4.cli; print([m for m in ('torch', 'matplotlib', 'gymnasium') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=released, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
    shown = hw4(released, "--help").stdout
    assert all(command in shown for command in ("train", "plot", "video", "check", "submit"))


def test_train_help_shows_the_defaults_of_that_experiment(released: Path) -> None:
    shown = " ".join(hw4(released, "train", "cartpole_ensemble", "--help").stdout.split())
    assert f"--ensemble-size INT number of networks; 1 trains one network on all the data (default: {5})" in shown
    assert "--experiment" not in shown


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


def test_recording_plans_does_not_change_the_run(solved: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "import torch\n"
        "from hw4.agents import build_agent\n"
        "from hw4.envs import make_env\n"
        "from hw4.runs import read_run\n"
        "from hw4.training import train\n"
        "torch.set_num_threads(1)\n"
        "run = read_run(Path('runs/cliff_hill/tiny'))\n"
        "agent = build_agent(run.settings, 7)\n"
        "records = train(make_env('cliff_hill'), agent, num_episodes=2, seed=7)\n"
        "print([record.episode_return for record in records])\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=solved, capture_output=True, text=True, check=True)
    returns = read_run(solved / "runs" / "cliff_hill" / "tiny").curves[1].returns
    assert answer.stdout.strip() == str(list(returns))


def test_plot_draws_runs_of_two_tasks_over_the_published_band(solved: Path) -> None:
    band = "# generated\ncurve,env_steps,low,median,high,bar,floor\ncliff_hill,40,-9,1,5,3,\ncliff_hill,120,-5,4,9,3,\n"
    reference = solved / "hw4" / "reference_curves.csv"
    reference.write_text(band, encoding="utf-8")
    assert read_bands(reference)["cliff_hill"].median == (1.0, 4.0)
    assert (read_bands(reference)["cliff_hill"].bar, read_bands(reference)["cliff_hill"].floor) == (3.0, None)
    done = hw4(solved, "plot", "runs/cliff_hill/tiny", "runs/cartpole_ensemble/tiny", "--output", "curves.png")
    assert done.returncode == 0, done.stderr
    with Image.open(solved / "curves.png") as picture:
        assert picture.size == (1050, 1320)
    reference.unlink()
    assert read_bands(reference) == {}


def test_the_median_is_taken_where_every_seed_has_been() -> None:
    curves = [LearningCurve(0, (10, 20, 30), (1.0, 2.0, 3.0)), LearningCurve(1, (10, 20), (5.0, 8.0))]
    assert median_curve(curves) == ([10, 20], [3.0, 5.0])


@pytest.mark.parametrize("experiment", ["cliff_hill", "cartpole_ensemble"])
def test_video_draws_a_frame_for_every_so_many_steps(solved: Path, experiment: str) -> None:
    done = hw4(solved, "video", f"runs/{experiment}/tiny", "--every", "20")
    assert done.returncode == 0, done.stderr
    folder = seed_folders(solved / "runs" / experiment / "tiny")[0]
    with Image.open(folder / "last_episode.gif") as picture:
        num_steps = EXPERIMENTS[experiment].task.episode_length
        assert getattr(picture, "n_frames", 1) == num_steps // 20 + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "cartpole", "--version", "1.5", "--replan-every", "5"], "leave out one of the two"),
        (["train", "cartpole", "--replan-every", "50"], "replan_every must be in [1, horizon=20], got 50"),
        (["train", "cliff_hill", "--name", "tiny"], "is there already"),
        (["train", "cliff_hill", "--name", "../x"], "a run's name consists of"),
        (["train", "cliff_hill", "--seeds", "1", "1"], "must be different numbers, 0 or more, got 1 1"),
        (["plot", "runs/nowhere"], "is not a run folder"),
        (["plot"], "plot needs a run folder"),
        (["plot", "runs"], "is not a run folder"),
        (["plot", "runs/cliff_hill"], "holds several runs: name one or more of"),
        (["video", "runs/cliff_hill/tiny", "--seed", "4"], "has no seed 4, only seed_3, seed_7"),
        (["video", "runs/cliff_hill/tiny", "--output", "x.avi"], "ends in .gif or .mp4"),
        (["submit", "--output", "x.rar"], "must end in .zip"),
    ],
)
def test_a_mistaken_command_ends_with_one_line(
    solved: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(solved)
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert len(errors.strip().splitlines()) == 1
    assert message in errors


def test_training_with_open_stubs_names_the_first_one_and_its_test(released: Path) -> None:
    done = hw4(released, "train", "cliff_hill", "--seeds", "0")
    assert done.returncode == 1
    assert "Not written yet: ModelBasedAgent.record in hw4/mpc.py (agent_record)" in done.stderr
    assert "pytest hw4/tests/test_mpc.py -k record" in done.stderr
    assert "Traceback" not in done.stderr
    assert not any((released / "runs").rglob("*"))


def test_submit_builds_what_the_grader_accepts(solved: Path) -> None:
    done = hw4(solved, "submit")
    assert done.returncode == 0, done.stderr
    assert "All 16 stubs are started" in done.stdout
    assert "Not known yet" in done.stdout
    intake = read_submission(solved / "hw4_submission.zip", load_assignment())
    assert set(intake.files) == set(load_assignment().submission.code)


def test_submit_names_open_stubs_bad_imports_and_syntax_errors(released: Path) -> None:
    tree = released.parent / "mistakes"
    shutil.copytree(released, tree, dirs_exist_ok=True)
    with (tree / "hw4" / "ensemble.py").open("a", encoding="utf-8") as file:
        file.write("import os\n")
    (tree / "hw4" / "dynamics_model.py").write_text("def f(:\n", encoding="utf-8")
    line = len((tree / "hw4" / "ensemble.py").read_text(encoding="utf-8").splitlines())
    done = hw4(tree, "submit")
    assert done.returncode == 1
    assert f"ensemble.py:{line}: import of os" in done.stderr
    assert "dynamics_model.py:1: Python cannot read this file" in done.stderr
    assert "2.4 cem in hw4/mpc.py (5 points)" in done.stdout
    assert (tree / "hw4_submission.zip").is_file()  # near a deadline, something is better than nothing


def test_submit_refuses_as_the_grader_would(released: Path) -> None:
    tree = released.parent / "empty"
    shutil.copytree(released, tree, dirs_exist_ok=True)
    for name in load_assignment().submission.code:
        (tree / "hw4" / name).unlink()
    done = hw4(tree, "submit")
    assert done.returncode == 1
    assert "Refused, as the grader would" in done.stderr
    assert "none of the code files is there" in done.stderr
    assert not (tree / "hw4_submission.zip").exists()


def test_a_run_of_another_version_is_named_not_guessed(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "seed_0"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"experiment": "x", "settings": {"depth": 1}}', encoding="utf-8")
    with pytest.raises(RunError, match="is not what this version of hw4 writes"):
        read_run(tmp_path / "run")
