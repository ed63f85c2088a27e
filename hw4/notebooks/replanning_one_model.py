"""One model of the cart-pole, other rewards: what the notebook replanning draws of it (given)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from hw4.commands.jupyter import Array, find_data, median_text, read_table, show
from hw4.commands.plots import BLUE, GREEN, PURPLE, VERMILION
from hw4.notebooks.replanning_runs import REUSED

FURTHER = {"spin": "spin at 8 rad/s", "stand": "stand at x = 1 m"}
ARMS = {  # what plans the test episode, and how it is drawn
    "for it": ("the model, planned for this reward", GREEN),
    "for the first": ("the model, planned for the first reward", VERMILION),
    "policy": ("a policy, learned for the first reward", PURPLE),
    "simulator": ("the simulator, planned for this reward", "0.35"),
    "one more episode": ("the model after one more episode", BLUE),
}


def returns(reward: str, arm: str) -> Array:
    """What a test episode earns by a reward, for each seed's model or policy; shape (seeds,)."""
    if arm == "policy":
        return np.asarray(POLICIES["episode_return"][POLICIES["reward"] == reward])
    chosen = (TABLE["reward"] == reward) & (TABLE["arm"] == arm)
    return np.asarray(TABLE["episode_return"][chosen])


def minus_policy(reward: str) -> Array:
    """What the plan for a reward earns more by it than the policy, for the seeds that have one; shape (seeds,)."""
    chosen = (TABLE["reward"] == reward) & (TABLE["arm"] == "for it") & np.isin(TABLE["seed"], POLICIES["seed"])
    return np.asarray(TABLE["episode_return"][chosen]) - returns(reward, "policy")


def policies_text() -> str:
    """What a caption says of the policies."""
    if not CURVES_FILE.exists():
        return ""
    curves = read_table(CURVES_FILE)
    env_steps, at_end = curves["env_steps"].max(), curves["env_steps"] > curves["env_steps"].max() - POLICY_END
    ends = curves["episode_return"][at_end].reshape(len(np.unique(curves["seed"])), -1).mean(axis=1)
    return (
        f" {len(ends)} policies learned for it without a model, {env_steps:,.0f} env steps each; in the last "
        f"{POLICY_END:,}, exploring, they earned {median_text(ends)}."
    )


DATA = find_data("replanning")
TABLE = read_table(DATA / "rewards.csv", texts=("reward", "arm"))
CURVES_FILE = DATA / "policy_learning_cartpole_curves.csv"  # of the policies: goes when their topic is dropped
POLICY_END = 2_000  # env steps at the end of a policy's training
POLICIES: dict[str, Array] = {name: np.empty(0) for name in ("seed", "reward", "episode_return")}
if CURVES_FILE.exists():
    POLICIES = read_table(DATA / "policy_learning_cartpole.csv", texts=("reward",))


def num_short(reward: str, arm: str) -> int:
    """How many seeds earn less than three quarters of the simulator's median."""
    return int((returns(reward, arm) < 0.75 * np.median(returns(reward, "simulator"))).sum())


def further(my_prediction: str = "") -> None:
    """Returns by two further rewards: of plans for them, of plans for the first reward, and of a perfect model."""
    _, panels = plt.subplots(1, 2, figsize=(10, 2.9), sharey=True)
    for axes, (reward, title) in zip(panels, FURTHER.items(), strict=True):
        for place, (arm, (_, color)) in enumerate(ARMS.items()):
            values = returns(reward, arm)
            if len(values):
                axes.plot(values, place + np.linspace(-0.25, 0.25, len(values)), ".", color=color, markersize=6)
                axes.plot([np.median(values)] * 2, [place - 0.35, place + 0.35], color=color, linewidth=2)
        axes.set(xlabel="return of one episode, by this reward", xlim=(-5, 92), title=title)
    panels[0].set(yticks=range(len(ARMS)), yticklabels=[label for label, _ in ARMS.values()])
    panels[0].invert_yaxis()

    def cells(reward: str) -> tuple[str, ...]:
        own, simulator = returns(reward, "for it"), returns(reward, "simulator")
        other, more = returns(reward, "for the first"), returns(reward, "one more episode")
        return (
            median_text(own),
            f"{own.min():.0f} to {own.max():.0f}",
            median_text(own - other) if len(other) else "",
            median_text(minus_policy(reward)) if len(returns(reward, "policy")) else "",
            median_text(simulator - own, "", 1),
            f"{num_short(reward, 'for it')} of {len(own)}",
            median_text(more - own, "", 1) if len(more) else "",
        )

    show(
        f"One dot a seed, {len(returns('first', 'for it'))} in all, a bar at the median. One model, learned for the "
        f"first reward in {REUSED.num_episodes} episodes, and none for the others (the last row: one)."
        f"{policies_text()}",
        (
            (
                "median [95 %], paired by seed",
                "planned for it",
                "smallest to largest",
                "minus planned for the first",
                "minus the learned policy",
                "simulator minus it",
                "below 3/4 of the simulator's median",
                "one more episode minus it",
            ),
            *((title, *cells(reward)) for reward, title in FURTHER.items()),
            ("the first reward itself", *cells("first")),
        ),
        my_prediction=my_prediction,
    )
