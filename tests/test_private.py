"""private.toml: a slip in it is named with its line, before anything is graded by it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autograder.grading.curves import ALL_RUNS
from autograder.grading.private import load_private
from hw4.handin.strict_toml import TomlError

RIGHT = """# a comment
master_seed = 1
calibration_seed = 2
num_runs = 7
max_deviation = 0.1
required_guarantees = ["hidden_files", "network"]
"""
LAW = """[laws.cliff_hill]
by_heart_below = 12
turn_degrees = [75, 105]
edge = [2.8, 3.0]
"""


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "private.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_is_read(tmp_path: Path) -> None:
    private = load_private(written(tmp_path, RIGHT))
    assert (private.num_runs, private.max_deviation) == (7, 0.1)
    assert private.required_guarantees == ("hidden_files", "network")
    assert private.laws == {}
    (family,) = load_private(written(tmp_path / "new", RIGHT + LAW)).laws.values()
    assert (family.by_heart_below, family.turn_degrees, family.edge) == (12, (75, 105), (2.8, 3.0))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("master_seed", "mster_seed", "2: unknown key 'mster_seed' (did you mean 'master_seed'?)"),
        ("calibration_seed = 2\n", "", "1: the key 'calibration_seed' is missing"),
        ("= 2\n", '= "two"\n', "3: calibration_seed must be a whole number, 0 or more, got 'two'"),
        ("num_runs = 7", f"num_runs = {ALL_RUNS - 1}", f"4: num_runs must be at least {ALL_RUNS}"),
        ("0.1", "1.0", "5: max_deviation must be below 1"),
        ('"network"', '"netwrk"', "6: there is no guarantee 'netwrk' (did you mean 'network'?)"),
        ('["hidden_files", "network"]', '"network"', "6: required_guarantees must be a list of strings"),
        ("= 1\n", "= = 1\n", "2: not TOML"),
        (RIGHT, RIGHT + "[limits]\n", "7: unknown key 'limits'"),
        (RIGHT, RIGHT + LAW.replace("cliff_hill", "clif_hill"), "7: there is no experiment 'clif_hill' (did you mean"),
        (
            RIGHT,
            RIGHT + LAW.replace("cliff_hill", "pusher"),
            "7: pusher has no law: there is no autograder/worlds",
        ),
        (RIGHT, RIGHT + LAW.replace("edge", "egde"), "10: unknown key 'egde' (did you mean 'edge'?)"),
        (RIGHT, RIGHT + LAW.replace("[2.8, 3.0]", "2.8"), "10: edge must be a list, got 2.8"),
    ],
)
def test_a_slip_is_named_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(TomlError, match=re.escape(f"private.toml:{says}")):
        load_private(written(tmp_path, RIGHT.replace(old, new, 1)))
