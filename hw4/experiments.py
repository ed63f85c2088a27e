"""Every hyper-parameter of every experiment, once (given; torch-free).

The grader trains with exactly these settings; `python -m hw4 train TASK --help` shows them and lets you change them for
experiments of your own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from hw4 import topics
from hw4.tasks import TASKS, Task

Version = Literal["0.5", "1.0", "1.5"]
Aggregation = Literal["expected", "pessimistic", "mean_minus_std", "mean_plus_std", "optimistic"]
PLANNERS = ("cem", "random_shooting", *topics.planners())
if TYPE_CHECKING:
    PlannerName = str
else:
    PlannerName = Literal[PLANNERS]  # so that the command line lists the choices and takes no other


@dataclass(frozen=True)
class Experiment:
    """The settings of one training run."""

    task_name: str
    """task, a key of hw4.tasks.TASKS"""
    ensemble_size: int = 1
    """number of networks; 1 trains one network on all the data"""
    members: Literal["squared_error", "gaussian"] = "squared_error"
    """what a member predicts: the next observation, or its mean and variance (trained with beta-NLL)"""
    aggregation: Aggregation = "expected"
    """how the members' returns of one plan become one number"""
    num_particles: int = 0
    """roll-outs of each member for one plan, which sample its predicted noise; 0 follows the predicted mean"""
    trajectory_sampling: Literal["ts_inf", "ts1"] = "ts_inf"
    """whether a particle stays with its member for the whole plan or moves to a random one at each step"""
    width: int = 64
    """units in a hidden layer"""
    num_hidden_layers: int = 2
    """hidden layers"""
    learning_rate: float = 1e-3
    """of Adam"""
    gradient_steps: int = 800
    """gradient steps at each fit; the network keeps its weights between fits"""
    batch_size: int = 128
    """transitions in a minibatch"""
    planner: PlannerName = "cem"
    """how a plan is found"""
    horizon: int = 20
    """steps in a plan (env steps)"""
    population_size: int = 100
    """candidate action sequences in one CEM iteration; random shooting draws them all at once"""
    num_iterations: int = 3
    """CEM iterations for one plan"""
    num_elites: int = 10
    """candidates that the distribution is refitted to"""
    num_kept_elites: int = 3
    """elites that compete again in the next iteration"""
    smoothing: float = 0.1
    """weight on the OLD mean and std when refitting"""
    initial_std: float = 0.7
    """std of the candidates in the first iteration, in units of half the action range"""
    noise_color: float = 1.0
    """0 white, 1 pink, 2 red"""
    replan_every: int = 1
    """env steps executed of each plan"""
    refit_every: int | None = 100
    """env steps between fits after the first; None fits once"""
    num_initial_episodes: int = 1
    """episodes of the base policy (random actions) before the first fit"""
    num_episodes: int = 7
    """episodes in all, the initial ones included"""

    @property
    def task(self) -> Task:
        return TASKS[self.task_name]

    @property
    def initial_steps(self) -> int:
        """Env steps taken by the base policy."""
        return self.num_initial_episodes * self.task.episode_length


EXPERIMENTS: dict[str, Experiment] = {
    "cliff_hill": Experiment(
        task_name="cliff_hill",
        ensemble_size=1,
        gradient_steps=300,
        horizon=10,
        refit_every=10,
        num_initial_episodes=4,
        num_episodes=10,
    ),
    "cartpole": Experiment(task_name="cartpole", gradient_steps=1200, population_size=60),
    "ledge": Experiment(
        task_name="ledge",
        ensemble_size=5,
        members="gaussian",
        num_particles=2,
        width=32,
        gradient_steps=150,
        batch_size=64,
        horizon=8,
        population_size=80,
        refit_every=20,
        num_episodes=8,
    ),
    # Not graded.
    "cartpole_ensemble": Experiment(
        task_name="cartpole",
        ensemble_size=5,
        gradient_steps=500,
        population_size=20,
    ),
    "bridge": Experiment(
        task_name="bridge",
        ensemble_size=5,
        members="gaussian",
        num_particles=2,
        width=32,
        gradient_steps=150,
        batch_size=64,
        horizon=12,
        population_size=40,
        refit_every=20,
        num_episodes=5,
    ),
    "windy_plain": Experiment(
        task_name="windy_plain",
        gradient_steps=1200,
        horizon=10,
        num_iterations=4,
        refit_every=None,
        num_episodes=2,
    ),
    "noisy_field": Experiment(
        task_name="noisy_field",
        ensemble_size=5,
        members="gaussian",
        gradient_steps=400,
        population_size=60,
        horizon=10,
        refit_every=40,
        num_initial_episodes=4,
        num_episodes=12,
    ),
    "pusher": Experiment(
        task_name="pusher",
        ensemble_size=5,
        width=128,
        gradient_steps=400,
        population_size=64,
        num_iterations=2,
        noise_color=2.0,
        num_initial_episodes=6,
        num_episodes=20,
    ),
    "reacher": Experiment(
        task_name="reacher",
        ensemble_size=5,
        gradient_steps=500,
        horizon=8,
        refit_every=50,
        num_initial_episodes=4,
        num_episodes=20,
    ),
    "half_cheetah": Experiment(
        task_name="half_cheetah",
        ensemble_size=5,
        width=128,
        gradient_steps=600,
        batch_size=256,
        population_size=120,
        noise_color=2.0,
        refit_every=250,
        num_initial_episodes=4,
        num_episodes=30,
    ),
    "pets_cartpole": Experiment(
        task_name="pets_cartpole",
        ensemble_size=5,
        horizon=25,
        refit_every=200,
        num_episodes=8,
    ),
}


def as_version(experiment: Experiment, version: Version) -> Experiment:
    """An experiment with the settings of one of the lecture's versions of model-based RL; all others stay as they are.

    0.5: fit once on the base policy's data, plan the whole episode once, execute it open loop.
    1.0: execute the whole plan, append what was seen, refit, plan again.
    1.5: replan at every step, execute the first action, append, refit every `refit_every` env steps.
    """
    length = experiment.task.episode_length
    if version == "0.5":
        return dataclasses.replace(experiment, horizon=length, replan_every=length, refit_every=None)
    if version == "1.0":
        return dataclasses.replace(experiment, horizon=length, replan_every=length, refit_every=length)
    return dataclasses.replace(experiment, replan_every=1)
