"""Recorded runs and published bands, and the numbers that the text and the captions quote from them."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from autograder.solutions import ROOT
from hw4.commands.csv_rows import read_rows
from hw4.experiments import EXPERIMENTS, Version, as_version
from hw4.handin.assignment import load_assignment
from publish.handout import DATA, MINUS
from publish.handout.wording import listed, number_word, whole

BANDS = ROOT / "hw4" / "reference_curves.csv"
VERSIONS: tuple[Version, ...] = ("0.5", "1.0", "1.5")

Row = dict[str, str]


def recorded(name: str) -> list[Row]:
    """The rows of a table in handout/data."""
    return read_rows(DATA / f"{name}.csv")


def read_paths() -> dict[str, list[Row]]:
    """The recorded paths over the hill by name."""
    rows = recorded("cliff_hill_paths")
    return {name: [row for row in rows if row["path"] == name] for name in dict.fromkeys(row["path"] for row in rows)}


def published_bands() -> dict[str, list[Row]]:
    """The published band of each curve, a row an episode."""
    rows = read_rows(BANDS)
    return {curve.id: [row for row in rows if row["curve"] == curve.id] for curve in load_assignment().curves}


def reference_ends() -> list[str]:
    """The median return of the reference at the end of each curve that everybody's work is graded by."""
    assignment, bands = load_assignment(), published_bands()
    curves = [curve for curve in assignment.curves if not assignment.is_optional(curve)]
    return [whole(float(bands[curve.id][-1]["median"])) for curve in curves]


def column(rows: list[Row], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def seeds_of(rows: list[Row]) -> list[str]:
    return sorted({row["seed"] for row in rows}, key=int)


def hill_facts() -> dict[str, str]:
    """The cliff hill in numbers."""
    from hw4.envs.cliff_hill import BOTTOM_HEIGHT, EDGE_X

    return {
        "edge": f"{EDGE_X:g}",
        "bottom": f"{BOTTOM_HEIGHT:g}".replace("-", MINUS),
        "episode_length": str(EXPERIMENTS["cliff_hill"].task.episode_length),
    }


def command_times() -> dict[str, str]:
    """Processor time of each command, in words."""
    return {row["command"]: f"{float(row['cpu_seconds']):.0f} s" for row in recorded("command_times")}


def random_reach() -> float:
    """How far right (m) the farthest of random shooting's plans on the cliff hill typically gets."""
    import numpy as np

    from hw4.envs.cliff_hill import STEP_LENGTH

    experiment = as_version(EXPERIMENTS["cliff_hill"], "0.5")
    plans = experiment.population_size * experiment.num_iterations
    drawn = np.random.default_rng(0).uniform(-1.0, 1.0, (400, plans, experiment.horizon))
    return float(np.median((STEP_LENGTH * drawn).cumsum(axis=-1).max(axis=(1, 2))))


def run_facts() -> dict[str, str]:
    """Numbers that the text and the captions quote from the recorded runs and the published bands."""
    from hw4.envs.cliff_hill import EDGE_X

    versions, members = recorded("cliff_hill_versions"), recorded("cliff_hill_members")
    shooting = recorded("cliff_hill_shooting")
    paths = read_paths()
    first_planned = EXPERIMENTS["cliff_hill"].num_initial_episodes
    last = EXPERIMENTS["cliff_hill"].num_episodes - 1

    def returns(version: str, wanted: Callable[[int], bool]) -> list[float]:
        return column([r for r in versions if r["version"] == version and wanted(int(r["episode"]))], "episode_return")

    falls = returns("0.5", lambda episode: episode >= first_planned)
    second_planned = returns("1.0", lambda episode: episode == first_planned + 1)
    ends = {version: returns(version, lambda episode: episode == last) for version in VERSIONS}
    member_ends = column([row for row in members if row["step"] == members[-1]["step"]], "height")
    return {
        "seeds": str(len(seeds_of(versions))),
        "random": whole(statistics.median(returns("0.5", lambda episode: episode < first_planned))),
        "v05_best": whole(max(falls)),
        "v05_worst": whole(min(falls)),
        "shooting_median": whole(statistics.median(column(shooting, "episode_return"))),
        "shooting_best": whole(max(column(shooting, "episode_return"))),
        "shooting_worst": whole(min(column(shooting, "episode_return"))),
        "shooting_promised": whole(statistics.median(column(shooting, "promised"))),
        "shooting_plans": str(EXPERIMENTS["cliff_hill"].population_size * EXPERIMENTS["cliff_hill"].num_iterations),
        "random_reach": f"{random_reach():.1f}",
        "data_max_x": f"{max(column(paths['data'], 'x')):.1f}",
        "imagined_height": f"{float(paths['imagined'][-1]['height']):.1f}",
        "v15_steps_past_edge": str(sum(x > EDGE_X for x in column(paths["happened_1.5"], "x"))),
        "v10_second_plan": whole(statistics.median(second_planned)),
        "v10_below_zero": str(sum(value < 0 for value in ends["1.0"])),
        "v10_median": whole(statistics.median(ends["1.0"])),
        "v10_min": whole(min(ends["1.0"])),
        "v15_median": whole(statistics.median(ends["1.5"])),
        "v15_min": whole(min(ends["1.5"])),
        "members_lowest": f"{min(member_ends):.1f}",
        "search_steps": str(len({row["step"] for row in recorded("cem_search")})),
        "search_iterations": number_word(len({row["iteration"] for row in recorded("cem_search")})),
        "search_population": recorded("cem_search")[0]["population_size"],
        "reference_ends": listed(reference_ends()),
    }
