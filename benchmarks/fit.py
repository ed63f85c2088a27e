"""Time and validation error of a fit: all members in one optimiser step, compared with one after another and with
mbrl-lib.

Run: make bench, or PYTHONPATH=build/solved:. .venv/bin/python benchmarks/fit.py [--quick] after make solved

The data are those that our agent collects on the cart-pole: 700 transitions, 100 of them random. The validation error
is taken on 700 transitions of an agent with another seed, and is 1 for a model that predicts the mean change:

    mean over members of sqrt(mean over features of (mean squared error of s' / variance of s' - s))

Every arm has 5 members of 2 x 64 units, minibatches of 128 for each member, and gets the same number of gradient
steps. mbrl-lib trains in its own environment by its own trainer: once on squared error with our learning rate, and once
as it is shipped (Gaussian members, its learning rate and weight decay). Its trainer scores the model on all data after
every epoch, as it does within its PETS; an arm of its own leaves that out. Only fitting is timed, never the error.

The second part fits after every 100 transitions, as the agent does: warm (weights and optimiser are kept), and from
scratch with as many and with four times as many gradient steps.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import tyro
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from rich.console import Console
from rich.table import Table

from benchmarks.machine import BUILD, DATA, FIGURES, DrawOnly, provenance, read_csv, write_csv
from benchmarks.peers import MISSING, mbrl, mbrl_is_installed
from hw4.agents import build_agent
from hw4.commands.plots import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from hw4.commands.threads import use_one_thread
from hw4.dynamics_model import DynamicsModel, Normalizer, fit, make_optimizer
from hw4.ensemble import bootstrap_indices, member_minibatches
from hw4.envs import make_env
from hw4.experiments import EXPERIMENTS
from hw4.networks import MLP, EnsembleMLP
from hw4.training import train
from hw4.transitions import Transition

COMMAND = "benchmarks/fit.py"
SETTINGS = EXPERIMENTS["cartpole_ensemble"]
MEMBERS, BATCH = SETTINGS.ensemble_size, SETTINGS.batch_size
IN_DIM, OUT_DIM = SETTINGS.task.obs_dim + SETTINGS.task.act_dim, SETTINGS.task.obs_dim
NUM_SEEDS = 3
VALIDATION_SEED = 100
GRADIENT_STEPS, REPORT_EVERY = 1600, 100
OURS, IN_TURN = "ours: one optimiser step for all members", "ours, one member after the other"
SQUARED, SQUARED_UNSCORED = "mbrl-lib, squared error", "mbrl-lib, squared error, no scores"
SHIPPED = "mbrl-lib, as shipped (Gaussian)"
WARM, SCRATCH, SCRATCH_LONG = "warm", "from scratch", "from scratch, four times the steps"
STYLES = {
    OURS: (BLUE, "o"),
    IN_TURN: (SKY, "s"),
    SQUARED: (VERMILION, "^"),
    SQUARED_UNSCORED: (PURPLE, "v"),
    SHIPPED: (ORANGE, "D"),
}
COLUMNS = ("arm", "seed", "transitions", "gradient_steps", "wall_s", "process_s", "validation_error")


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A model after so many gradient steps; seconds of those since the clock began."""

    arm: str
    seed: int
    transitions: int
    gradient_steps: int
    wall_s: float
    process_s: float
    error: float

    def row(self) -> tuple[object, ...]:
        times = f"{self.wall_s:.4g}", f"{self.process_s:.4g}"
        return (self.arm, self.seed, self.transitions, self.gradient_steps, *times, f"{self.error:.4g}")


class Clock:
    """Adds up the time inside its `with` blocks."""

    def __init__(self) -> None:
        self.wall = self.process = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._start[0]
        self.process += time.process_time() - self._start[1]


def collect(seed: int, num_episodes: int) -> Transition:
    """What the agent of the small budget sees."""
    agent = build_agent(SETTINGS, seed)
    for _ in train(make_env(SETTINGS.task_name), agent, num_episodes=num_episodes, seed=seed):
        pass
    return Transition(*(torch.from_numpy(field) for field in agent.replay.stacked()))


def validation_error(models: list[DynamicsModel], valid: Transition) -> float:
    """As the docstring of this file has it; `models` are members, or one ensemble."""
    with torch.no_grad():
        predictions = torch.stack([model.predict(valid.observation, valid.action) for model in models])
    predictions = predictions.reshape(-1, *valid.observation.shape)
    variance = (valid.next_observation - valid.observation).var(dim=0, correction=0)
    squared = ((predictions - valid.next_observation) ** 2).mean(dim=1) / variance
    return float(squared.mean(dim=-1).sqrt().mean())


def new_model(generator: torch.Generator, *, members: int) -> tuple[DynamicsModel, torch.optim.Optimizer]:
    sizes = {"width": SETTINGS.width, "num_hidden_layers": SETTINGS.num_hidden_layers}
    network = (
        EnsembleMLP(members, IN_DIM, OUT_DIM, **sizes, generator=generator)
        if members > 1
        else MLP(IN_DIM, OUT_DIM, **sizes, generator=generator)
    )
    model = DynamicsModel(
        network, input_normalizer=Normalizer.identity(IN_DIM), delta_normalizer=Normalizer.identity(OUT_DIM)
    )
    return model, make_optimizer(network, SETTINGS.learning_rate)


def fit_ours(arm: str, seed: int, data: Transition, valid: Transition, gradient_steps: int) -> Iterator[Fitted]:
    """In reports of REPORT_EVERY steps. In turn: as many models of one member, each with its own optimiser."""
    generator = torch.Generator().manual_seed(seed)
    count, own = (1, MEMBERS) if arm == OURS else (MEMBERS, 1)
    pairs = [new_model(generator, members=own) for _ in range(count)]
    indices = bootstrap_indices(len(data.action), MEMBERS, generator=generator)
    samplers = [minibatches(indices[i : i + own], generator) for i in range(count)]
    clock = Clock()
    for steps in range(REPORT_EVERY, gradient_steps + 1, REPORT_EVERY):
        with clock:
            for (model, optimizer), sample in zip(pairs, samplers, strict=True):
                fit(model, data, optimizer, sample_indices=sample, gradient_steps=REPORT_EVERY)
        error = validation_error([model for model, _ in pairs], valid)
        yield Fitted(arm, seed, len(data.action), steps, clock.wall, clock.process, error)


def minibatches(indices: torch.Tensor, generator: torch.Generator) -> Callable[[], torch.Tensor]:
    """Draws (E, BATCH) indices, or (BATCH,) for a single member."""
    return lambda: member_minibatches(indices, BATCH, generator=generator).squeeze(0)


def fit_mbrl(arm: str, seed: int, data: Transition, valid: Transition, gradient_steps: int) -> Iterator[Fitted]:
    path = BUILD / "fit.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("observation", "action", "following")
    arrays = {name: field.double().numpy() for name, field in zip(names, data, strict=True)}
    arrays |= {f"valid_{name}": field.double().numpy() for name, field in zip(names, valid, strict=True)}
    np.savez(path, **arrays)
    options: dict[str, object] = {"members": MEMBERS, "elite_members": MEMBERS, "layers": SETTINGS.num_hidden_layers}
    options |= {"width": SETTINGS.width, "batch": BATCH, "report": REPORT_EVERY, "gradient_steps": gradient_steps}
    if arm != SHIPPED:
        options |= {"deterministic": True, "learning_rate": SETTINGS.learning_rate, "weight_decay": 0.0}
    if arm == SQUARED_UNSCORED:
        options["no_scores"] = True
    for line in mbrl("fit", seed=seed, data=path, **options):
        yield Fitted(
            arm, seed, len(data.action), line["gradient_steps"], line["wall_s"], line["process_s"], line["error"]
        )


def refits(arm: str, seed: int, data: Transition, valid: Transition, gradient_steps: int) -> Iterator[Fitted]:
    """A fit after every episode of the data; seconds of each alone."""
    generator = torch.Generator().manual_seed(seed)
    model, optimizer = new_model(generator, members=MEMBERS)
    length = SETTINGS.task.episode_length
    for number in range(length, len(data.action) + 1, length):
        if arm != WARM:
            model, optimizer = new_model(generator, members=MEMBERS)
        sample = minibatches(bootstrap_indices(number, MEMBERS, generator=generator), generator)
        steps = 4 * gradient_steps if arm == SCRATCH_LONG else gradient_steps
        clock = Clock()
        with clock:
            fit(model, data.select(slice(0, number)), optimizer, sample_indices=sample, gradient_steps=steps)
        yield Fitted(arm, seed, number, steps, clock.wall, clock.process, validation_error([model], valid))


def recorded(path: Path) -> list[Fitted]:
    """What `row` wrote."""
    return [
        Fitted(
            row["arm"],
            *(int(row[name]) for name in ("seed", "transitions", "gradient_steps")),
            *(float(row[name]) for name in ("wall_s", "process_s", "validation_error")),
        )
        for row in read_csv(path)
    ]


def median_over_seeds(fitted: list[Fitted], arm: str) -> list[Fitted]:
    """One line for each (transitions, gradient steps) of an arm."""
    of_arm = [entry for entry in fitted if entry.arm == arm]
    keys = sorted({(entry.transitions, entry.gradient_steps) for entry in of_arm})
    lines = []
    for key in keys:
        here = [entry for entry in of_arm if (entry.transitions, entry.gradient_steps) == key]
        wall, process, error = (
            statistics.median(getattr(entry, name) for entry in here) for name in ("wall_s", "process_s", "error")
        )
        lines.append(Fitted(arm, len(here), *key, wall, process, error))
    return lines


def show(console: Console, fits: list[Fitted], refitted: list[Fitted]) -> None:
    target_steps = SETTINGS.gradient_steps
    target = next(
        e for e in median_over_seeds(fits, OURS) if e.gradient_steps >= min(target_steps, fits[-1].gradient_steps)
    )
    table = Table(
        "median over seeds", "ms a gradient step (processor)", f"error after {target.gradient_steps} steps",
        f"seconds to error {target.error:.3f}", "error at the end",
    )  # fmt: skip
    for arm in STYLES:
        lines = median_over_seeds(fits, arm)
        if not lines:
            continue
        last = lines[-1]
        at = next(line for line in lines if line.gradient_steps >= target.gradient_steps)
        equal = next((line for line in lines if line.error <= target.error), None)
        each = 1e3 * last.wall_s / last.gradient_steps, 1e3 * last.process_s / last.gradient_steps
        table.add_row(
            arm,
            f"{each[0]:.2f} ({each[1]:.2f})",
            f"{at.error:.3f}",
            f"{equal.wall_s:.2f} ({equal.process_s:.2f})" if equal else f"not in {last.gradient_steps} steps",
            f"{last.error:.3f}",
        )
    console.print(table)
    after = {arm: median_over_seeds(refitted, arm) for arm in (WARM, SCRATCH, SCRATCH_LONG)}
    table = Table("refit", "seconds each", *(f"{line.transitions} transitions" for line in after[WARM]))
    for arm, of_arm in after.items():
        seconds = statistics.median(line.wall_s for line in of_arm)
        table.add_row(
            f"{arm}: {of_arm[0].gradient_steps} steps", f"{seconds:.2f}", *(f"{line.error:.3f}" for line in of_arm)
        )
    console.print("validation error after each refit:", table)


def draw(fits: list[Fitted], refitted: list[Fitted], path: Path) -> None:
    figure = Figure(figsize=(8.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for arm, (color, marker) in STYLES.items():
        lines = median_over_seeds(fits, arm)
        seconds, errors = [line.process_s for line in lines], [line.error for line in lines]
        if lines:
            left.plot(seconds, errors, color=color, marker=marker, ms=3, lw=1, label=arm)
    left.set(
        xscale="log", yscale="log", xlabel="processor time of the fit (s)", ylabel="validation error (1: mean change)"
    )
    for arm, color, marker in ((WARM, BLUE, "o"), (SCRATCH, ORANGE, "s"), (SCRATCH_LONG, GREEN, "^")):
        lines = median_over_seeds(refitted, arm)
        label = f"{arm}: {lines[0].gradient_steps} gradient steps"
        numbers, errors = [line.transitions for line in lines], [line.error for line in lines]
        right.plot(numbers, errors, color=color, marker=marker, ms=3, lw=1, label=label)
    right.set(yscale="log", xlabel="transitions fitted to", ylabel="validation error after each refit")
    left.set_ylim(top=2.2)  # room for the legend
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter(NullFormatter())
    for axes in (left, right):
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(which="both", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7, loc="upper right" if axes is left else "lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main(quick: bool = False, draw_only: DrawOnly = False) -> None:
    """Measure how long a fit takes, and how good it is.

    Args:
        quick: one seed, few transitions and steps; writes to build/.
        draw_only: tables and figure of what is recorded; fits nothing.
    """
    use_one_thread()
    console = Console(width=120)
    data_folder, figures = (BUILD / "quick", BUILD / "quick") if quick else (DATA, FIGURES)
    if draw_only:
        fits, refitted = recorded(data_folder / "fit.csv"), recorded(data_folder / "refits.csv")
        show(console, fits, refitted)
        draw(fits, refitted, figures / "fit.svg")
        return
    seeds, episodes, steps = (1, 2, 200) if quick else (NUM_SEEDS, SETTINGS.num_episodes, GRADIENT_STEPS)
    refit_steps = 50 if quick else SETTINGS.gradient_steps
    heading = provenance(COMMAND + (" --quick" if quick else ""))
    valid = collect(VALIDATION_SEED, episodes)
    data = [collect(seed, episodes) for seed in range(seeds)]
    mbrl_arms = (SQUARED, SQUARED_UNSCORED, SHIPPED) if mbrl_is_installed() else ()
    if not mbrl_arms:
        console.print(MISSING)
    fits, refitted = [], []
    for seed in range(seeds):  # seed by seed: load meets all arms alike
        for arm in (OURS, IN_TURN):
            fits += fit_ours(arm, seed, data[seed], valid, steps)
        for arm in mbrl_arms:
            fits += fit_mbrl(arm, seed, data[seed], valid, steps)
        for arm in (WARM, SCRATCH, SCRATCH_LONG):
            refitted += refits(arm, seed, data[seed], valid, refit_steps)
    show(console, fits, refitted)
    if not mbrl_arms and not quick:
        console.print("fit.csv and fit.svg are unchanged")
        return
    write_csv(data_folder / "fit.csv", heading, COLUMNS, [entry.row() for entry in fits])
    write_csv(data_folder / "refits.csv", heading, COLUMNS, [entry.row() for entry in refitted])
    draw(fits, refitted, figures / "fit.svg")
    console.print(f"wrote {data_folder}/fit.csv, refits.csv and {figures}/fit.svg")


if __name__ == "__main__":
    tyro.cli(main)
