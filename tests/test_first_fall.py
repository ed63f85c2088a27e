"""`python -m hw4 fall`: what a model believes of the cliff hill, and where it leads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from publish.stubs import STUBS, build_stubs, write_solved

LOOK = """
import json
from hw4.commands.first_fall import fall
from hw4.envs.cliff_hill import EDGE_X
seen = fall(3)
observations = seen.happened.observations
print(json.dumps({
    "data": len(seen.data.action),
    "start": observations[0].tolist(),
    "imagined_start": seen.imagined[0].tolist(),
    "imagined_end": seen.imagined[-1].tolist(),
    "end": observations[-1].tolist(),
    "one_direction": bool((seen.happened.actions == seen.happened.actions[0]).all()),
    "believed_in_the_data": float(seen.believed[abs(seen.ridge) < 0.3].mean()),
    "believed_at_the_edge": float(seen.believed[abs(seen.ridge - EDGE_X) < 0.2].min()),
}))
"""


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=tree, env={"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With problem 1 solved and nothing else: that is all that it needs."""
    tree = tmp_path_factory.mktemp("first_fall") / "solved"
    write_solved(tree)
    for path, text in build_stubs().items():
        if path.name != "dynamics_model.py":
            (tree / "hw4" / path.relative_to(STUBS)).write_text(text, encoding="utf-8")
    return tree


@pytest.mark.verify  # a model is fitted
def test_the_model_is_right_where_the_data_are_and_walks_over_the_edge(solved: Path) -> None:
    done = run(solved, "-c", LOOK)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["data"] == 160
    assert seen["imagined_start"] == pytest.approx(seen["start"], abs=1e-6)
    assert seen["one_direction"]
    assert seen["believed_in_the_data"] == pytest.approx(0.2, abs=0.05)  # a full step right climbs 0.2 m
    assert seen["believed_at_the_edge"] > -1.0  # the truth: -3
    assert seen["imagined_end"][2] > 5.0
    assert seen["end"][2] == pytest.approx(-5.0, abs=0.1)  # in the pit


def test_the_command_writes_a_picture_and_an_animation_and_replaces_neither(solved: Path) -> None:
    command = ("-m", "hw4", "fall", "--output", "mine.png")
    done = run(solved, *command)
    assert done.returncode == 0, done.stderr
    assert "your model promises most for the one at" in done.stdout
    with Image.open(solved / "mine.png") as picture, Image.open(solved / "mine.gif") as video:
        assert picture.size[0] > 1000
        assert video.n_frames == 41  # type: ignore[attr-defined]
    again = run(solved, *command)
    assert again.returncode == 1
    assert "mine.png already exists" in again.stderr


def test_what_is_not_written_yet_is_named(solved: Path) -> None:
    stub = build_stubs()[STUBS / "dynamics_model.py"]
    right = (solved / "hw4" / "dynamics_model.py").read_text(encoding="utf-8")
    (solved / "hw4" / "dynamics_model.py").write_text(stub, encoding="utf-8")
    done = run(solved, "-m", "hw4", "fall", "--output", "none.png")
    (solved / "hw4" / "dynamics_model.py").write_text(right, encoding="utf-8")
    assert done.returncode == 1
    first = "Not written yet: fit_normalizer in hw4/dynamics_model.py (normalizer_fit), the first of 4 up to fit."
    assert first in done.stderr
