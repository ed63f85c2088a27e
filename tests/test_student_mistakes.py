"""What a student sees after a mistake: one message with file and line, no traceback, and no folder in the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from student_tree import line_of, replace_in, run_python

from hw4.checking.importing import syntax_error
from hw4.commands.cli import main
from hw4.commands.runs import SeedFolder, new_run_folder
from publish.stubs import write_solved

QUICK = [
    *("--seeds", "0", "--num-episodes", "3", "--num-initial-episodes", "1", "--gradient-steps", "3", "--horizon", "6"),
    *("--population-size", "8", "--num-elites", "2", "--num-kept-elites", "1", "--refit-every", "20"),
]


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_solved(tmp_path_factory.mktemp("mistakes") / "solved")


@pytest.fixture
def tree(solved: Path, tmp_path: Path) -> Path:
    """A solved tree to make mistakes in."""
    shutil.copytree(solved, tmp_path / "tree", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "tree"


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """Runs a command that must fail, in an empty folder that must stay empty: the lines that it says."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> list[str]:
        before = sorted(tmp_path.rglob("*"))
        status: object = 0
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = ended.code
        assert status in (1, 2)
        assert sorted(tmp_path.rglob("*")) == before
        errors = capsys.readouterr().err
        assert "Traceback" not in errors
        return errors.strip().splitlines()

    return run


# The command line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("trian cartpole", "there is no command 'trian' (did you mean 'train'?); the commands are fall, train, plot,"),
        ("train", "train needs a task, before its options: python -m hw4 train TASK; tasks: cliff_hill,"),
        ("train --seeds 3 cartpole", "train needs a task, before its options"),
        ("train carpole", "there is no task 'carpole' (did you mean 'cartpole'?); the tasks are cliff_hill,"),
        ("train cartpole --num-epsiodes 3", "has no option '--num-epsiodes' (did you mean '--num-episodes'?)"),
        ("train cartpole --num_epsiodes=3", "see python -m hw4 train cartpole --help"),
        ("train cartpole --settings 3", "python -m hw4 train cartpole has no option '--settings'"),
        ("train cartpole --every 3", "python -m hw4 train cartpole has no option '--every'"),
        ("plot runs/x --every 3", "python -m hw4 plot has no option '--every'"),
        ("check --jsno", "python -m hw4 check has no option '--jsno' (did you mean '--json'?)"),
        (
            "train cartpole --seeds a b",
            "--seeds must be different whole numbers, 0 or more, such as --seeds 0 1 2, got a",
        ),
        ("train cartpole --seeds 0,1", "got 0,1"),
        ("train cartpole --seeds -1", "got -1"),
        ("train cartpole --version 3", "--version must be one of 0.5, 1.0, 1.5, got 3"),
        ("train cartpole --version None", "--version must be one of 0.5, 1.0, 1.5, got None"),
        ("train cartpole --planner x", "invalid choice 'x' for argument '--planner'. Expected one of ('cem', "),
        (
            "train cartpole --width 1.5",
            "--width: a whole number is needed, got '1.5'; see python -m hw4 train cartpole",
        ),
        ("fall --seed x", "--seed: a whole number is needed, got 'x'; see python -m hw4 fall --help"),
        ("video", "missing from python -m hw4 video: RUN"),
        ("video a b", "unrecognized options: b; see python -m hw4 video --help"),
        ("train cartpole --seeds 1.5", "got 1.5"),
        ("train cartpole --seeds", "got none"),
        ("train cartpole --num-episodes -3", "--num-episodes must be at least 1, got -3"),
        ("train cartpole --width 0", "--width must be at least 1, got 0"),
        (
            "train cartpole --num-initial-episodes 9",
            "--num-initial-episodes must be at most --num-episodes, which is 7",
        ),
        ("train cartpole --num-elites 70", "--num-elites must be at most --population-size, which is 60, got 70"),
        ("train cartpole --num-kept-elites 60", "--num-kept-elites must be less than --population-size, which is 60"),
        ("train cartpole --refit-every 0", "--refit-every must be at least 1, or None, got 0"),
        ("train cartpole --learning-rate 0", "--learning-rate must be more than 0, got 0.0"),
        ("train cartpole --learning-rate nan", "--learning-rate must be more than 0, got nan"),
        ("train cartpole --initial-std inf", "--initial-std must be at least 0, got inf"),
        ("train cartpole --smoothing 1", "--smoothing must be in [0, 1), got 1.0"),
        ("train cartpole --task-name reacher", "python -m hw4 train cartpole has no option '--task-name'"),
        ("train cartpole --no-resume", "python -m hw4 train cartpole has no option '--no-resume'"),
        ("train cartpole --num-episodes x", "--num-episodes: a whole number is needed, got 'x'"),
        ("train cartpole --num-episodes 2.5", "--num-episodes: a whole number is needed, got '2.5'"),
        ("train cartpole --refit-every x", "--refit-every: a whole number or None is needed, got 'x'"),
        ("train cartpole --learning-rate x", "--learning-rate: a number is needed, got 'x'"),
        ("train cartpole --planner pso", "invalid choice 'pso' for argument '--planner'. Expected one of ('cem',"),
        ("train cartpole --name", "missing value for argument '--name'. Expected 1 values; see python"),
        ("train cartpole 3", "unrecognized options: 3"),
        ("update", "the new student.zip, as you downloaded it."),
    ],
)
def test_a_command_line_that_makes_no_sense_is_answered_in_one_line(
    refused: Callable[..., list[str]], arguments: str, message: str
) -> None:
    (line,) = refused(*arguments.split())
    assert message in line


def test_every_option_that_help_lists_is_understood(refused: Callable[..., list[str]]) -> None:
    for option in ("--resume", "--num_episodes=3", "--runs=x", "--tensorboard", "--traceback", "--actuator-sign=1"):
        (line,) = refused("train", "cartpole", option, "--width", "0")
        assert line == "--width must be at least 1, got 0"


def test_a_folder_that_cannot_be_written_is_named(refused: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    (line,) = refused("train", "cliff_hill", "--name", "a", "--runs", "file")
    assert line.startswith("file/cliff_hill/a/seed_0")
    assert "Check that its folder exists and that you may write there, or give another one." in line


# Errors in the student's code -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:", "Python cannot read hw4/ensemble.py:{line}: SyntaxError: invalid syntax: def f(:"),
        pytest.param(
            *(
                "raise ValueError('mine\\nall')",
                "hw4/ensemble.py:{line}: ValueError: mine all. The line is: raise Value",
            ),
            marks=pytest.mark.verify,
        ),
        pytest.param(
            *("import numpi", "hw4/ensemble.py:{line}: ModuleNotFoundError: No module named 'numpi'. The line is: imp"),
            marks=pytest.mark.verify,
        ),
        ("import sys; sys.exit()", "hw4/ensemble.py:{line}: the code ends its own process (exit, quit or sys.exit)."),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_its_line(tree: Path, code: str, message: str) -> None:
    path = tree / "hw4" / "ensemble.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}{code}\n", encoding="utf-8")
    done = run_python(tree, "-m", "hw4", "train", "cliff_hill", "--name", "a", *QUICK)
    assert done.returncode == 1
    assert message.format(line=line_of(path, code)) in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert not any((tree / "runs").rglob("*"))


@pytest.mark.parametrize("content", [b"X = 1\nY = '\xe9'\n", b"X = 1\nY = '\0'\n"])
def test_a_file_with_bytes_that_are_no_text_is_named_with_its_line(tree: Path, content: bytes) -> None:
    (tree / "hw4" / "ensemble.py").write_bytes(content)
    done = run_python(tree, "-m", "hw4", "train", "cliff_hill", "--name", "a", *QUICK)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Python cannot read hw4/ensemble.py:" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    failure = syntax_error(tree / "hw4", "ensemble.py")
    assert failure is not None
    assert failure.where is not None
    assert failure.where.startswith("hw4/ensemble.py:")


FAIL_TWICE = f"""
import sys
from pathlib import Path
from hw4.commands.cli import main
command = ["train", "cliff_hill", "--name", "a", *{QUICK}]
print([main(command), main(command), any(Path("runs").rglob("*"))])
sys.stderr.flush()
print(main([*command, "--traceback"]))
"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("mean @ smoothing", "TypeError: unsupported operand type(s) for @: 'Tensor' and 'float'. The line is: mean @"),
        pytest.param(
            *("exit()", "the code ends its own process (exit, quit or sys.exit). The line is: exit()"),
            marks=pytest.mark.verify,
        ),
        pytest.param(
            *("raise NotImplementedError('later')", "NotImplementedError: later. The line is: raise NotImplemented"),
            marks=pytest.mark.verify,
        ),
    ],
)
def test_an_error_while_training_is_named_with_the_students_line_and_blocks_no_name(
    tree: Path, code: str, message: str
) -> None:
    path = tree / "hw4" / "mpc.py"
    guard = "    _check_refit_inputs(returns, num_elites=num_elites, smoothing=smoothing)\n"
    replace_in(path, guard, f"{guard}    {code}\n")
    done = run_python(tree, "-c", FAIL_TWICE)
    said = f"hw4/mpc.py:{line_of(path, code)}, in refit_to_elites: {message}"
    assert "[1, 1, False]" in done.stdout
    assert done.stderr.count(said) == 3, done.stderr
    before, _, after = done.stderr.rpartition("Traceback (most recent call last)")
    assert "Traceback" not in before
    assert before.count(said) == 2
    assert "in run_episode" in after
    assert after.count("add --traceback") == 1


FAIL_LATE = f"""
from hw4.commands.cli import main
from hw4.commands.runs import SeedFolder
add = SeedFolder.add
def full_disk(self, record):
    if record.episode == FAILING:
        raise OSError(28, "No space left on device", "the disk")
    add(self, record)
SeedFolder.add = full_disk
command = ["train", "cliff_hill", "--name", "late", *{QUICK}]
print(main(command))
SeedFolder.add = add
print(main([*command, "--resume"]))
"""


def test_a_run_that_failed_after_it_had_learned_something_can_be_resumed(tree: Path) -> None:
    done = run_python(tree, "-c", FAIL_LATE.replace("FAILING", "2"))
    assert "the disk: No space left on device. Check that" in done.stderr
    assert "Stopped. runs/cliff_hill/late keeps every finished episode." in done.stdout
    assert "To resume: the same command with --name late --resume" in done.stdout
    assert done.stdout.strip().endswith("\n0")


def test_what_was_never_started_blocks_no_name(tmp_path: Path) -> None:
    (tmp_path / "cliff_hill" / "a" / "seed_0").mkdir(parents=True)  # as when the process was killed at once
    assert new_run_folder(tmp_path, "cliff_hill", "a") == tmp_path / "cliff_hill" / "a"
    (tmp_path / "cliff_hill" / "a" / "seed_0" / "learning_curve.csv").write_text("half a li", encoding="utf-8")
    from hw4.commands.runs import CURVE_COLUMNS, RunConfig
    from hw4.experiments import EXPERIMENTS

    folder = SeedFolder(tmp_path / "cliff_hill" / "a", RunConfig("cliff_hill", EXPERIMENTS["cliff_hill"], 0))
    assert (folder.path / "learning_curve.csv").read_text(encoding="utf-8") == ",".join(CURVE_COLUMNS) + "\n"


# Pictures -------------------------------------------------------------------------------------------------------------


def test_no_picture_is_replaced_unless_asked(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree)
    done = run_python(tree, "-m", "hw4", "train", "cliff_hill", "--name", "a", *QUICK)
    assert done.returncode == 0, done.stderr
    for command, usual in (
        ("plot", Path("learning_curves.png")),
        ("video", Path("runs/cliff_hill/a/seed_0/last_episode.gif")),
    ):
        arguments = [command, "runs/cliff_hill/a", *(["--every", "20"] if command == "video" else [])]
        for target in (usual, usual.with_stem(f"{usual.stem}_2"), usual.with_stem(f"{usual.stem}_3")):
            assert main(arguments) == 0
            assert f"Wrote {target}\n" in capsys.readouterr().out
            target.write_bytes(b"mine")
        assert main([*arguments, "--output", str(usual)]) == 1
        errors = capsys.readouterr().err
        assert errors == f"{usual} already exists: choose another --output, or add --overwrite to replace it\n"
        assert usual.read_bytes() == b"mine"
        assert main([*arguments, "--output", str(usual), "--overwrite"]) == 0
        assert usual.read_bytes() != b"mine"
