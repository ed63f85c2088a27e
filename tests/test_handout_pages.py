"""How the handout's pages look, and that what they say is what the recorded runs show."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typst
from PIL import Image

from autograder.grading.curves import load_bars
from autograder.recorded.calibration import BY_HEART
from autograder.recorded.error_rates import rates_of
from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.commands.jupyter import interval_of_median
from hw4.envs.cliff_hill import EDGE_X
from hw4.experiments import EXPERIMENTS, as_version
from hw4.handin.assignment import load_assignment
from publish.handout import DATA, FIGURES, HANDOUT, PDF
from publish.handout import notebook_findings as found
from publish.handout.facts import gather_facts
from publish.handout.figures import reference_errors
from publish.handout.quoted_runs import column, published_bands, random_reach, recorded
from publish.stubs import write_solved

MAX_WORDS = 950  # of a page
PAGE_WIDTH_PT = 482.4  # of the text: 8.5 inches less two margins of 0.9
MIN_FONT_PT = 7  # in a figure
HEADER, FOOTER = 0.06, 0.94  # of a page's height; the text is between them


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return gather_facts(load_assignment())


# Pages


needs_pdftotext = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext, of poppler-utils")


def text_of_pages() -> list[str]:
    """The text of each page of the handout in the tree."""
    done = subprocess.run(["pdftotext", "-layout", PDF, "-"], capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\f").split("\f")


@needs_pdftotext
def test_no_page_is_crowded() -> None:
    words = [len(page.split()) for page in text_of_pages()]
    assert len(words) > 10
    assert max(words) <= MAX_WORDS, f"words of each page: {words}"


@needs_pdftotext
def test_each_stub_has_its_box_with_what_the_assignment_says() -> None:
    text = " ".join(" ".join(text_of_pages()).split())
    assignment = load_assignment()
    for stub in assignment.stubs:
        parts = (
            f"{stub.number} {stub.id} {stub.symbol} in {stub.file}",
            f"{stub.lines} line{'s' * (stub.lines != 1)}",
            f"{stub.minutes} min",
            f"{stub.points} {'bonus ' * assignment.is_optional(stub)}point{'s' * (stub.points != 1)}",
        )
        wanted = " \N{MIDDLE DOT} ".join(parts)
        assert text.count(wanted) == 1, wanted


def test_no_page_has_an_empty_third(facts: dict[str, Any]) -> None:
    """The last page of all and the one before the topics end where they end."""
    pages = [np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png in rendered(facts)]
    before_topics = len(pages) - 2 if any(problem["optional"] for problem in facts["problems"]) else len(pages) - 1
    for number, page in enumerate(pages[:-1], start=1):
        rows = page[int(HEADER * len(page)) : int(FOOTER * len(page))].min(axis=1) < 250
        edges = np.flatnonzero(np.concatenate([[True], rows, [True]]))
        if number - 1 != before_topics:
            assert np.diff(edges).max() < len(rows) / 3, f"page {number} has an empty third"


def rendered(facts: dict[str, Any]) -> list[bytes]:
    """Each page as a small PNG."""
    given = {"facts": json.dumps(facts, ensure_ascii=False)}
    pages = typst.compile(
        HANDOUT / "handout.typ", root=HANDOUT, sys_inputs=given, ignore_system_fonts=True, format="png", ppi=30
    )
    assert isinstance(pages, list)
    return pages


@pytest.mark.parametrize("path", sorted(FIGURES.glob("*.svg")), ids=lambda path: path.name)
def test_the_text_of_a_figure_is_large_enough_to_read_in_print(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    width = re.search(r'<svg [^>]*\bwidth="([\d.]+)pt"', text)
    assert width is not None
    assert float(width[1]) == pytest.approx(PAGE_WIDTH_PT), "it is scaled to the width of the text"
    sizes = [100 * float(size) for size in re.findall(r"scale\((0\.\d+) -0\.\d+\)", text)]  # of glyphs 100 units high
    assert len(sizes) > 10
    assert min(sizes) >= MIN_FONT_PT


# The diagram and the times


def test_the_recorded_calls_are_those_of_today(tmp_path: Path) -> None:
    solved = write_solved(tmp_path / "solved")
    program = "import json\nfrom publish.recorders.stub_calls import calls\nprint(json.dumps(calls()))"
    environment = {"PYTHONPATH": f"{solved}:{ROOT}", "OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=solved, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    today = [tuple(pair) for pair in json.loads(done.stdout)]
    assert [(row["caller"], row["callee"], row["option"]) for row in read_rows(DATA / "stub_calls.csv")] == today


def test_every_required_stub_is_called_and_so_in_the_diagram(facts: dict[str, Any]) -> None:
    called = {callee for _, callee, _ in facts["calls"]}
    assert called == {stub["id"] for stub in facts["stubs"] if not stub["optional"]}


def test_the_readme_says_when_version_0_5_runs() -> None:
    text = " ".join((ROOT / "hw4" / "README.md").read_text(encoding="utf-8").split())
    planning = [stub.id for stub in load_assignment().stubs_of("planning")]
    assert planning.index("agent_record") + 1 == 4
    assert "the first four functions of P2, up to `agent_record`" in text
    assert {"cem_refit", "cem_plan"} == set(planning[4:])


# What is said of recorded runs. The notebooks' own claims are tested with the notebooks.


def test_random_shooting_never_falls_and_cem_always_does() -> None:
    shooting = column(recorded("cliff_hill_shooting"), "episode_return")
    versions = recorded("cliff_hill_versions")
    planned = [r for r in versions if int(r["episode"]) >= EXPERIMENTS["cliff_hill"].num_initial_episodes]
    falls = column([row for row in planned if row["version"] == "0.5"], "episode_return")
    assert max(falls) < 0 < min(shooting)
    assert len({row["seed"] for row in versions}) == len({row["seed"] for row in recorded("cliff_hill_shooting")})
    assert random_reach() < EDGE_X


def test_the_first_plan_of_version_1_0_falls_and_the_second_does_not() -> None:
    rows = [row for row in recorded("cliff_hill_versions") if row["version"] == "1.0"]
    first = EXPERIMENTS["cliff_hill"].num_initial_episodes
    assert max(column([row for row in rows if int(row["episode"]) == first], "episode_return")) < 0
    assert min(column([row for row in rows if int(row["episode"]) == first + 1], "episode_return")) > 0


def test_the_first_planned_episode_is_usually_better_than_in_worlds_like_the_hidden_ones() -> None:
    first = EXPERIMENTS["cliff_hill"].num_initial_episodes
    rows = [r for r in recorded("cliff_hill_versions") if r["version"] == "1.5" and int(r["episode"]) == first]
    band = float(published_bands()["curve_cliff_hill"][first]["median"])
    assert np.mean(np.array(column(rows, "episode_return")) > band) > 0.5


def test_cem_learns_to_push_and_then_to_brake_and_passes_random_shooting() -> None:
    rows = recorded("cem_search")
    last = [row for row in rows if row["iteration"] == rows[-1]["iteration"]]
    force = np.array(column(last, "mean"))
    assert force[: len(force) // 2].mean() > 0 > force[len(force) // 2 :].mean()
    assert float(last[0]["median_return"]) > float(last[0]["random_shooting_return"])


def test_the_error_falls_after_the_first_fit_and_on_the_ledge_it_stays_high() -> None:
    for curve in (curve for curve in load_assignment().curves if not load_assignment().is_optional(curve)):
        first, *_, last = [median for _, median, _ in reference_errors(curve)][
            EXPERIMENTS[curve.experiment].num_initial_episodes :
        ]
        assert last < first
        assert (last > 0.8) == (curve.experiment == "ledge")


def test_members_diverge_beyond_the_data_and_none_foresees_the_cliff() -> None:
    rows = recorded("cliff_hill_members")
    heights = np.array(column(rows, "height")).reshape(-1, len({row["member"] for row in rows}))
    spread = heights.std(axis=1)
    assert (np.diff(spread[1:]) > 0).all()
    assert heights[-1].min() > EDGE_X


def test_what_is_said_to_help_helps_and_what_is_not_shown_is_not() -> None:
    promised, earned = found.five_against_one()
    assert interval_of_median(found.replanning_alone())[0] > 0
    assert interval_of_median(earned - promised)[0] > 0
    low, high = interval_of_median(earned)
    assert low < 0 < high
    low, high = interval_of_median(found.kept_sets())
    assert low < 0 < high
    assert interval_of_median(found.held())[1] < 0.95
    assert 1 < np.median(found.good_steps()) < found.worse_from() <= EXPERIMENTS["cartpole"].horizon


def test_nobody_who_acts_by_the_published_physics_alone_reached_a_bar() -> None:
    assignment, bars = load_assignment(), load_bars()
    for curve in (curve for curve in assignment.curves if not assignment.is_optional(curve)):
        by_heart = [r for r in rates_of(curve, bars[curve.id]) if r.implementation.startswith(BY_HEART)]
        assert by_heart
        assert {rate.num_at_bar for rate in by_heart} == {0}


def test_version_1_5_changes_more_than_one_setting() -> None:
    one, other = (as_version(EXPERIMENTS["cliff_hill"], version) for version in ("1.0", "1.5"))
    settings = [field.name for field in dataclasses.fields(one)]
    assert sum(getattr(one, name) != getattr(other, name) for name in settings) > 1
