"""What the benchmarks conclude from what they measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.latent_agent import COLUMNS as LATENT_COLUMNS
from benchmarks.latent_agent import OURS, PEER, Measured, both_halves
from benchmarks.machine import DATA, ROOT, read_csv, write_csv
from benchmarks.sequences import needed
from benchmarks.time_to_skill import ARMS, COLUMNS, medians, merged, skill


def rows(arm: str, seed: int, returns: list[float], seconds: float = 1.0) -> list[dict[str, str]]:
    """Episodes of 100 env steps that take `seconds` each."""
    return [
        dict(
            zip(
                COLUMNS,
                (arm, str(seed), str(i), str(100 * (i + 1)), str(earned), str(seconds * (i + 1)), str(i), "50"),
                strict=True,
            )
        )
        for i, earned in enumerate(returns)
    ]


def test_the_skill_is_there_when_the_median_over_seeds_reaches_the_threshold() -> None:
    recorded = [*rows("ours", 0, [1, 70, 80]), *rows("ours", 1, [2, 20, 81]), *rows("ours", 2, [90, 69, 82])]
    reached = skill(medians(recorded, "ours"), 69)
    assert reached is not None
    assert (reached["env_steps"], reached["episode_return"], reached["seeds"]) == (200, 69, 3)
    assert skill(medians(recorded, "ours"), 81.5) is None


def test_an_episode_that_one_seed_has_not_reached_yet_has_no_median() -> None:
    recorded = [*rows("ours", 0, [1, 70, 80]), *rows("ours", 1, [2, 20])]
    assert [point["env_steps"] for point in medians(recorded, "ours")] == [100, 200]


def test_a_new_run_replaces_the_recorded_one_of_its_seed_alone() -> None:
    recorded = [*rows("mbrl_shipped", 0, [5]), *rows("ours", 1, [3]), *rows("ours", 0, [1, 2])]
    together = merged(recorded, rows("ours", 0, [9]))
    assert [(row["arm"], row["seed"], row["episode_return"]) for row in together] == [
        ("ours", "0", "9"),
        ("ours", "1", "3"),
        ("mbrl_shipped", "0", "5"),
    ]
    assert list(ARMS).index("ours") < list(ARMS).index("mbrl_shipped")


@pytest.mark.parametrize(
    ("medians", "enough"), [({9: 10, 18: 81, 36: 79, 72: 82, 144: 85}, 72), ({9: 90}, 9), ({9: 90, 18: 10}, None)]
)
def test_a_lucky_small_number_of_sequences_is_not_enough(medians: dict[int, float], enough: int | None) -> None:
    results = {("CEM", number): [0.0, earned, 100.0] for number, earned in medians.items()}
    results["random shooting", 9] = [0.0]
    assert needed(results, "CEM", 80.0) == enough


def test_a_recorded_file_says_where_it_comes_from_and_reads_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "data.csv", ["Recorded by `x`.", "y"], ("arm", "seconds"), [("a, b", 1.5)])
    assert (tmp_path / "data.csv").read_text(encoding="utf-8").startswith("# Recorded by `x`.\n# y\narm,seconds\n")
    assert read_csv(tmp_path / "data.csv") == [{"arm": "a, b", "seconds": "1.5"}]
    assert read_csv(tmp_path / "none.csv") == []


def test_a_latent_agent_takes_the_median_of_both_halves() -> None:
    halves = Measured(7, [0.001, 0.002], [0.009]), Measured(7, [0.5], [0.004, 0.005])
    assert both_halves(*halves).row("ours") == ["ours", "7", "2.00", "5.00"]


def test_the_readme_quotes_what_was_recorded_of_latent_agents() -> None:
    recorded = read_csv(DATA / "latent_agent.csv")
    assert [row["arm"] for row in recorded] == [*OURS, PEER]
    readme = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for arm, parameters, *milliseconds in ([row[name] for name in LATENT_COLUMNS] for row in recorded):
        cells = (arm, f"{int(parameters):,}", *(f"{float(each):.1f}" for each in milliseconds))
        assert f"| {' | '.join(cells)} |" in readme, arm
