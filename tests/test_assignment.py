"""`assignment.toml` is read strictly: what is wrong is named with its line and what was wanted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from copied_tree import copy_of_the_tree, edit, run
from made_up_topic import TABLES, assignment_with_topic

from hw4.handin.assignment import ASSIGNMENT_FILE, AssignmentError, load_assignment

TEXT = ASSIGNMENT_FILE.read_text(encoding="utf-8")


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "assignment.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AssignmentError) as caught:
        load_assignment(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('term = "', 'terms = "', "unknown key 'terms' (did you mean 'term'?); known are title, course,"),
        ("minutes = 20\n", "minuts = 20\n", "unknown key 'minuts' (did you mean 'minutes'?); known are id,"),
        ("grace_minutes = 15", "grace_hours = 1", "unknown key 'grace_hours' (did you mean 'grace_minutes'?)"),
        ("[limits]", "[limit]", "unknown key 'limit' (did you mean 'limits'?)"),
        ("due = 2027-03-15", "due = 2027-02-15", "due 2027-02-15 is before release 2027-03-01"),
        ("T23:59:00-07:00", "T23:59:00", "due must be a time with its UTC offset"),
        ("release = 2027-03-01", 'release = "March"', "release must be a date such as 2027-03-01, got 'March'"),
        ("points = 25", "points = 24", "planning is worth 24 points, but its parts add up to 25"),
        ("points = 25", 'points = "25"', "points must be a whole number, 0 or more, got '25'"),
        ("minutes = 30", "minutes = -30", "minutes must be a whole number, 0 or more, got -30"),
        ("by_hand = true", "by_hand = 1", "by_hand must be true or false, got 1"),
        (
            "optional = true\n",
            "by_hand = true\noptional = true\n",
            "mppi is a topic: `written` says how many of its points people",
        ),
        ('file = "replanning.ipynb"', "file = 1", "file must be a string, got 1"),
        ('problem = "curves"', 'problem = "curve"', "belongs to the unknown problem 'curve' (did you mean 'curves'?)"),
        ('needs = [\n    "norm', 'needs = [\n    "nrm', "needs the unknown function 'nrmalizer_fit' (did you mean"),
        (
            'ai_use = "declared"',
            'ai_use = "maybe"',
            "ai_use must be one of 'forbidden', 'declared', 'free', got 'maybe'",
        ),
        ("percent_per_day = 10 ", "percent_per_day = 110 ", "percent_per_day must be at most 100"),
        ("max_group_size = 1 ", "max_group_size = 0 ", "max_group_size must be at least 1"),
        ("max_days = 3", "max_days = ", "not TOML: Invalid value"),
        ("max_files = 400", "max_files = 0", "max_files must be at least 1"),
        ("max_cpu_factor = 10", "max_cpu_factor = 0.5", "max_cpu_factor must be at least 1, what the reference needs"),
        (
            'pythons = ["3.11", "3.12"',
            'pythons = ["3.12", "3.11"',
            'pythons must be versions such as "3.11", the oldest',
        ),
        ('file = "replanning.ipynb"', 'file = "../x.ipynb"', "file must be a name such as"),
        ('symbol = "fit_normalizer"', 'symbol = "fit normalizer"', "symbol must be a function such as"),
        ('symbol = "cem"', 'symbol = "MPC.act"', "symbol must be another function: MPC.act is that of two tables"),
        ('experiment = "cartpole"', 'experiment = "catpole"', "got 'catpole' (did you mean 'cartpole'?)"),
        ("score_episodes = 3", "score_episodes = 0", "score_episodes must be at least 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    line = TEXT[: TEXT.index(old)].count("\n") + 1
    message = refused(tmp_path, TEXT.replace(old, new, 1))
    assert message.startswith(f"assignment.toml:{line}: ")
    assert says in message


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AssignmentError, match=r"^assignment.toml:1: cannot be read: No such file"):
        load_assignment(tmp_path / "assignment.toml")


def test_what_ends_a_program_is_one_sentence_for_this_error_alone(capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(AssignmentError, AssignmentError("assignment.toml:7: x"), None)
    assert capsys.readouterr().err == "assignment.toml:7: x\n"
    sys.excepthook(KeyError, KeyError("x"), None)
    assert capsys.readouterr().err == "KeyError: 'x'\n"


COMMANDS = ("hw4 check", "autograder doctor", "autograder.gradescope", "publish drift", "publish.new_term")
COMMANDS += ("publish.handout", "publish.notebooks write", "publish.gradescope_bundle", "publish.pythons")
COMMANDS += ("publish.recorders mppi", "benchmarks.class_grading")


@pytest.mark.verify
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_a_mistake_in_one_sentence(tmp_path: Path, command: str) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    edit(tree / "assignment.toml", 'term = "', 'terms = "')
    line = TEXT[: TEXT.index('term = "')].count("\n") + 1
    found = run(tree, "-m", *command.split())
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.startswith(f"assignment.toml:{line}: unknown key 'terms' (did you mean 'term'?)")
    assert found.stderr.count("\n") == 1


def test_a_missing_key_is_named_at_the_head_of_its_table(tmp_path: Path) -> None:
    line = TEXT[: TEXT.index("[[stubs]]")].count("\n") + 1
    before, stub, after = TEXT.partition("[[stubs]]")
    message = refused(tmp_path, before + stub + after.replace("lines = 4\n", "", 1))
    assert message == f"assignment.toml:{line}: the key 'lines' is missing from [stubs]"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "optional = true\n",
            "",
            "daydream is not a topic: required answers are points of the problem with `by_hand = true`",
        ),
        ("written = 2", "written = 5", "of the 5 points of daydream, fewer can be for written answers"),
        ("written = 2", "written = 1", "daydream is worth 5 points, 1 of them for written answers, but its parts add"),
        (
            "daydream.ipynb",
            "dream.ipynb",
            "the answers of daydream are in daydream.ipynb, which is not an optional notebook",
        ),
    ],
)
def test_written_points_of_a_topic_have_its_notebook_and_leave_the_rest_to_code(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    (tmp_path / "whole").mkdir()
    found = assignment_with_topic(tmp_path / "whole")
    assert found.problem("daydream").code_points == 3
    without = load_assignment()
    assert found.written_bonus_points == without.written_bonus_points + 2
    assert found.written_bonus_in("daydream.ipynb") == 2
    assert found.bonus_points == without.bonus_points + 5
    assert found.written_points == without.written_points
    assert says in refused(tmp_path, TEXT + TABLES.replace(old, new, 1))


def test_an_id_that_is_used_twice_is_named_at_both_places(tmp_path: Path) -> None:
    text = TEXT.replace('id = "model_predict"', 'id = "model_loss"', 1)
    first = text[: text.index('id = "model_loss"')].count("\n") + 1
    second = text[: text.rindex('id = "model_loss"')].count("\n") + 1
    assert (
        refused(tmp_path, text) == f"assignment.toml:{second}: the id 'model_loss' is used twice, first in line {first}"
    )


def test_an_unclosed_text_at_the_end_is_placed_at_the_last_line(tmp_path: Path) -> None:
    text = TEXT + 'x = """'
    assert refused(tmp_path, text).startswith(f"assignment.toml:{len(text.splitlines())}: not TOML: ")
