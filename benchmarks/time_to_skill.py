"""Wall-clock and env steps until the cart-pole is swung up: ours, mbrl-lib's PETS, and ours made weaker.

Run: make bench, or PYTHONPATH=build/solved:. .venv/bin/python benchmarks/time_to_skill.py after make solved

    ... time_to_skill.py                              run what is missing, then table and figure (quarter of an hour)
    ... time_to_skill.py --arms mbrl_shipped          record mbrl-lib at its shipped settings, once (half an hour)
    ... time_to_skill.py --arms ours --seeds 2        a part of it
    ... time_to_skill.py --draw                       table and figure from what is recorded
    ... time_to_skill.py --quick                      a trial of the program in seconds; writes to build/

An arm has the skill at the first episode at whose end the median return over its seeds is at least 80 % of what the
graded planner earns with MuJoCo itself as its model. Every arm acts in the same environment, with one thread, and the
clocks start when its process has imported what it needs. Next to the wall-clock time is the processor time of the
process, which other processes disturb less. An episode's time includes the fit that ends it.

It can be stopped and called again: there is one file for each arm and seed in build/benchmarks/time_to_skill, written
after every episode; a run that was cut begins again. Remove a file to record it again. What has no file there keeps its
rows of benchmarks/data/time_to_skill.csv.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from rich.console import Console
from rich.table import Table

from benchmarks.machine import BUILD, DATA, FIGURES, DrawOnly, gflops, provenance, read_csv, write_csv
from benchmarks.peers import MISSING, mbrl, mbrl_is_installed
from benchmarks.planner import ARMS as ROLLOUTS
from benchmarks.planner import NUMPY_LOOP, TORCH_LOOP, untrained_network
from benchmarks.planner import Arm as Rollout
from benchmarks.true_model import planned_return, true_objective
from hw4.agents import AgentParts, build_agent_and_parts, build_planner
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.commands.threads import use_one_thread
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS, Experiment
from hw4.handin.at_once import write_at_once
from hw4.mpc import ModelBasedAgent
from hw4.networks import EnsembleMLP
from hw4.training import train
from hw4.transitions import ReplayBuffer

COMMAND = "benchmarks/time_to_skill.py"
NUM_SEEDS = 5
NUM_EPISODES, NUM_MBRL_EPISODES = 8, 12  # of 100 env steps, the random one included
SHARE_OF_TRUE_MODEL = 0.8
TRUE_MODEL = "true_model"
COLUMNS = ("arm", "seed", "episode", "env_steps", "episode_return", "wall_s", "process_s", "gflops")

SMALL = dataclasses.replace(EXPERIMENTS["cartpole_ensemble"], num_episodes=NUM_EPISODES)
FULL = Experiment(task_name="cartpole", ensemble_size=5, num_episodes=NUM_EPISODES)  # 100 x 3 candidates
Episode = dict[str, float]
Change = Callable[[ModelBasedAgent, AgentParts, Experiment], None]


def cold_start(agent: ModelBasedAgent, parts: AgentParts, experiment: Experiment) -> None:
    """Every search starts from the middle of the actions."""
    planner, start = agent.controller.planner, agent.controller.initial_mean
    agent.controller.planner = lambda observation, mean: planner(observation, start)


def refit_from_scratch(agent: ModelBasedAgent, parts: AgentParts, experiment: Experiment) -> None:
    """Every fit begins with new weights and a new optimiser."""
    fit = agent.fit

    def fit_anew(replay: ReplayBuffer) -> None:
        fresh = untrained_network(experiment, parts.generator)
        with torch.no_grad():
            for weight, new in zip(parts.weights, fresh.parameters(), strict=True):
                weight.copy_(new)
        parts.optimizer.state.clear()
        fit(replay)

    agent.fit = fit_anew


def planned_by(rollout: Rollout) -> Change:
    """The same planner with another way of computing the same predicted returns."""

    def change(agent: ModelBasedAgent, parts: AgentParts, experiment: Experiment) -> None:
        assert isinstance(parts.model.network, EnsembleMLP)
        objective_from = rollout(experiment, parts.model.network, parts.model)
        agent.controller.planner = build_planner(experiment, objective_from, parts.generator)

    return change


@dataclass(frozen=True)
class Ours:
    """One of our agents."""

    label: str
    experiment: Experiment
    change: Change | None = None
    num_seeds: int = NUM_SEEDS

    def run(self, seed: int, num_episodes: int | None = None) -> Iterator[Episode]:
        experiment = self.experiment
        wall, process = time.perf_counter(), time.process_time()
        agent, parts = build_agent_and_parts(experiment, seed)
        if self.change is not None:
            self.change(agent, parts, experiment)
        episodes = num_episodes or experiment.num_episodes
        for record in train(make_env(experiment.task_name), agent, num_episodes=episodes, seed=seed):
            yield {
                "env_steps": record.env_steps,
                "episode_return": record.episode_return,
                "wall_s": time.perf_counter() - wall,
                "process_s": time.process_time() - process,
            }


@dataclass(frozen=True)
class Mbrl:
    """mbrl-lib's PETS, by its own training loop; `options` of mbrl_peer.py, which has the shipped settings."""

    label: str
    options: dict[str, int]
    num_seeds: int = 3
    num_episodes: int = NUM_MBRL_EPISODES

    def run(self, seed: int, num_episodes: int | None = None) -> Iterator[Episode]:
        steps = EXPERIMENTS["cartpole"].task.episode_length * (num_episodes or self.num_episodes)
        yield from mbrl("train", seed=seed, steps=steps, **self.options)


def changed(**fields: Any) -> Experiment:
    return dataclasses.replace(SMALL, **fields)


EQUAL_EVALUATIONS = {
    "members": FULL.ensemble_size,
    "elite_members": FULL.ensemble_size,
    "layers": FULL.num_hidden_layers,
    "width": FULL.width,
    "population": FULL.population_size,
    "iterations": FULL.num_iterations,
    "horizon": FULL.horizon,
    "particles": FULL.ensemble_size,
}
# One refit every 100 env steps, minibatches of 128: 160 passes over 100 to 1,100 transitions are 9,120 gradient steps
# in all; ours are 11 fits of 800.
EQUAL_FIT = {"batch": FULL.batch_size, "epochs": 160, "refit_every": 100}

ARMS: dict[str, Ours | Mbrl] = {
    "ours": Ours("ours, small budget: 20 x 3 candidates", SMALL),
    "ours_one": Ours(
        "ours, one network: 60 x 3 candidates",
        dataclasses.replace(EXPERIMENTS["cartpole"], num_episodes=NUM_EPISODES),
    ),
    "ours_full": Ours("ours: 100 x 3 candidates", FULL),
    "mbrl_equal": Mbrl("mbrl-lib: 100 x 3 candidates", EQUAL_EVALUATIONS),
    "mbrl_equal_fit": Mbrl("mbrl-lib: 100 x 3 candidates, as many gradient steps", {**EQUAL_EVALUATIONS, **EQUAL_FIT}),
    "mbrl_shipped": Mbrl("mbrl-lib, shipped settings", {}, num_seeds=1, num_episodes=10),
    "full_numpy_loop": Ours("ours, 100 x 3, rolled out by CS 285's NumPy loop", FULL, planned_by(ROLLOUTS[NUMPY_LOOP])),
    "torch_loop": Ours("small budget, members in a loop", SMALL, planned_by(ROLLOUTS[TORCH_LOOP])),
    "numpy_loop": Ours("small budget, CS 285's NumPy loop", SMALL, planned_by(ROLLOUTS[NUMPY_LOOP])),
    "white_noise": Ours("small budget, white noise", changed(noise_color=0.0)),
    "no_kept_elites": Ours("small budget, no elites kept", changed(num_kept_elites=0)),
    "cold_start": Ours("small budget, cold start", SMALL, cold_start),
    "refit_from_scratch": Ours("small budget, refits from scratch", SMALL, refit_from_scratch),
    "random_shooting": Ours("small budget, random shooting", changed(planner="random_shooting")),
}
RECORDED_ONCE = ("mbrl_shipped",)  # run by `--arms` alone
RECORDED_BY_DEFAULT = tuple(arm for arm in ARMS if arm not in RECORDED_ONCE)
BEFORE_AFTER = ("ours", "ours_full", "mbrl_equal", "mbrl_equal_fit", "mbrl_shipped")  # drawn on the left
WEAKER = ("ours", "white_noise", "no_kept_elites", "cold_start", "refit_from_scratch", "random_shooting")


def part_file(parts: Path, arm: str, seed: int) -> Path:
    return parts / f"{arm}-{seed}.json"


def record(parts: Path, arm: str, seed: int, episodes: Iterator[Episode], console: Console) -> None:
    """Run, and write the part after every episode; it is whole when `complete` is true."""
    part: dict[str, Any] = {"arm": arm, "seed": seed, "gflops": gflops(), "complete": False, "episodes": []}
    for episode in episodes:
        part["episodes"].append(episode)
        write_part(part_file(parts, arm, seed), part)
        console.print(
            f"{arm}, seed {seed}: {episode['env_steps']:.0f} env steps, return {episode['episode_return']:.1f}, "
            f"{episode['wall_s']:.1f} s ({episode['process_s']:.1f} s of the processor)",
            highlight=False,
        )
    write_part(part_file(parts, arm, seed), {**part, "complete": True})


def write_part(path: Path, part: dict[str, Any]) -> None:
    """In one step, so that a file is never half written."""
    write_at_once(path, json.dumps(part).encode())


def is_complete(path: Path) -> bool:
    return path.exists() and bool(json.loads(path.read_text(encoding="utf-8"))["complete"])


def record_true_model(parts: Path, num_seeds: int, console: Console) -> None:
    """Episodes of the planner of the graded one-network cart-pole with MuJoCo as its model."""
    experiment = EXPERIMENTS["cartpole"]
    for seed in range(num_seeds):
        if not is_complete(part_file(parts, TRUE_MODEL, seed)):
            planner = build_planner(experiment, true_objective(), torch.Generator().manual_seed(seed))
            wall, process = time.perf_counter(), time.process_time()
            earned = planned_return(planner, experiment.horizon, seed)
            times = {"wall_s": time.perf_counter() - wall, "process_s": time.process_time() - process}
            episode = {"env_steps": float(experiment.task.episode_length), "episode_return": earned, **times}
            record(parts, TRUE_MODEL, seed, iter([episode]), console)


def warm_up() -> None:
    """What a process does once, at its first fit and plan, is no arm's time."""
    tiny = dataclasses.replace(SMALL, gradient_steps=2, population_size=20, num_initial_episodes=1, num_episodes=1)
    for _ in Ours("", tiny).run(seed=0):
        pass


def rows_of(parts: Path) -> list[dict[str, str]]:
    rows = []
    for path in sorted(parts.glob("*.json")):
        part = json.loads(path.read_text(encoding="utf-8"))
        for number, episode in enumerate(part["episodes"]):
            cells = (
                f"{episode['env_steps']:.0f}",
                f"{episode['episode_return']:.2f}",
                f"{episode['wall_s']:.2f}",
                f"{episode['process_s']:.2f}",
                f"{part['gflops']:.0f}",
            )
            rows.append(dict(zip(COLUMNS, (part["arm"], str(part["seed"]), str(number), *cells), strict=True)))
    return rows


def merged(recorded: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    """The new rows, and the recorded ones of every arm and seed that was not run again; in the order of ARMS."""
    have = {(row["arm"], row["seed"]) for row in new}
    order = {arm: i for i, arm in enumerate((TRUE_MODEL, *ARMS))}
    rows = new + [row for row in recorded if (row["arm"], row["seed"]) not in have]
    return sorted(rows, key=lambda row: (order[row["arm"]], int(row["seed"]), int(row["episode"])))


def medians(rows: list[dict[str, str]], arm: str) -> list[dict[str, float]]:
    """Over the seeds of an arm at the end of each episode that all of them have: env steps, return, seconds."""
    of_arm = [row for row in rows if row["arm"] == arm]
    num_seeds = len({row["seed"] for row in of_arm})
    curve = []
    for episode in range(1 + max((int(row["episode"]) for row in of_arm), default=-1)):
        here = [row for row in of_arm if int(row["episode"]) == episode]
        if len(here) == num_seeds:
            names = ("env_steps", "episode_return", "wall_s", "process_s")
            medians = {name: statistics.median(float(row[name]) for row in here) for name in names}
            curve.append({**medians, "seeds": float(num_seeds)})
    return curve


def skill(curve: list[dict[str, float]], threshold: float) -> dict[str, float] | None:
    """The first episode at whose end the median return reaches the threshold; None if none does."""
    return next((point for point in curve if point["episode_return"] >= threshold), None)


def show(console: Console, rows: list[dict[str, str]], threshold: float) -> None:
    table = Table(
        "until the skill", "seeds", "env steps", "wall-clock (s)", "processor (s)", "times ours", "last return"
    )
    base = skill(medians(rows, "ours"), threshold)
    for arm, settings in ARMS.items():
        curve = medians(rows, arm)
        if not curve:
            continue
        reached, last = skill(curve, threshold), curve[-1]
        if reached is None:
            cells = [f"not in {last['env_steps']:.0f}", f"> {last['wall_s']:.1f}", f"> {last['process_s']:.1f}", ""]
        else:
            cells = [f"{reached['env_steps']:.0f}", f"{reached['wall_s']:.1f}", f"{reached['process_s']:.1f}"]
            cells.append(f"{reached['process_s'] / base['process_s']:.1f}" if base else "")
        table.add_row(settings.label, f"{last['seeds']:.0f}", *cells, f"{last['episode_return']:.1f}")
    console.print(table)


def draw(rows: list[dict[str, str]], threshold: float, ceiling: float, path: Path) -> None:
    """Median return against processor seconds, compared with mbrl-lib, and against env steps, compared with weaker
    planners."""
    figure = Figure(figsize=(8.6, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    colors = (BLUE, SKY, ORANGE, VERMILION, PURPLE, GREEN)
    markers = "osD^vX"
    panels = ((left, BEFORE_AFTER, "process_s"), (right, WEAKER, "env_steps"))
    for axes, arms, across in panels:
        for arm, color, marker in zip(arms, colors, markers, strict=False):
            curve = medians(rows, arm)[1:]  # the random episode apart
            if curve:
                points = [point[across] for point in curve], [point["episode_return"] for point in curve]
                axes.plot(*points, marker=marker, ms=3.5, lw=1.2, color=color, label=ARMS[arm].label)
        axes.axhline(threshold, color="0.5", lw=1, ls="--")
        axes.axhline(ceiling, color="0.5", lw=1, ls=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    left.set(xscale="log", xlabel="processor time (s)", ylabel="median return of an episode of 100 steps")
    left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter(NullFormatter())
    right.set(xlabel="env steps", ylim=(0, 92))
    for height, name in ((ceiling, "true model"), (threshold, "skill: 80 %")):
        left.annotate(
            name, (0, height), (3, 2), xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=7
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def report(console: Console, rows: list[dict[str, str]], data: Path, figures: Path, command: str) -> None:
    earned = [float(row["episode_return"]) for row in rows if row["arm"] == TRUE_MODEL]
    ceiling = statistics.median(earned)
    threshold = SHARE_OF_TRUE_MODEL * ceiling
    heading = provenance(command)
    heading.append(
        "gflops: the same product at the start of each run. wall_s, process_s: since the start of the run; "
        "processes differ in load, so compare process_s."
    )
    if mbrl_is_installed():
        (answer,) = mbrl("plan", repetitions=3)
        wall, process = statistics.median(answer["wall_s"]), statistics.median(answer["process_s"])
        heading.append(
            f"mbrl-lib at its shipped settings, measured again: {wall:.2f} s for one plan ({process:.2f} s of the "
            "processor)."
        )
        console.print(heading[-1])
    else:
        console.print(MISSING)
    console.print(f"true model: {ceiling:.1f} (median of {len(earned)} episodes); the skill is {threshold:.1f}")
    show(console, rows, threshold)
    write_csv(data / "time_to_skill.csv", heading, COLUMNS, ([row[name] for name in COLUMNS] for row in rows))
    draw(rows, threshold, ceiling, figures / "time_to_skill.svg")
    console.print(f"wrote {data}/time_to_skill.csv and {figures}/time_to_skill.svg")


def main(
    arms: tuple[str, ...] = RECORDED_BY_DEFAULT,
    seeds: int | None = None,
    draw_only: DrawOnly = False,
    quick: bool = False,
) -> None:
    """Record what is missing, and draw all of it.

    Args:
        arms: which; the peer's slowest are recorded once and left out unless they are named.
        seeds: of each arm; by default 5, fewer of the peer.
        draw_only: run nothing.
        quick: one seed, two episodes, few candidates; in build/.
    """
    if unknown := set(arms) - set(ARMS):
        sys.exit(f"There is no arm {', '.join(sorted(unknown))}: choose from {', '.join(ARMS)}.")
    use_one_thread()
    console = Console(width=120)
    data, figures, parts, episodes = DATA, FIGURES, BUILD / "time_to_skill", None
    if quick:
        data = figures = BUILD / "quick"
        parts, episodes, seeds = BUILD / "quick" / "time_to_skill", 2, 1
    if not draw_only:
        warm_up()
        record_true_model(parts, seeds or NUM_SEEDS, console)
        if not mbrl_is_installed():
            console.print(MISSING)
            arms = tuple(arm for arm in arms if isinstance(ARMS[arm], Ours))
        for seed in range(max(seeds or ARMS[arm].num_seeds for arm in arms)):  # seed by seed: load meets all arms alike
            for arm in arms:
                if seed < (seeds or ARMS[arm].num_seeds) and not is_complete(part_file(parts, arm, seed)):
                    record(parts, arm, seed, ARMS[arm].run(seed, episodes), console)
    rows = merged(read_csv(data / "time_to_skill.csv"), rows_of(parts))
    report(console, rows, data, figures, COMMAND + (" --quick" if quick else ""))


if __name__ == "__main__":
    tyro.cli(main)
