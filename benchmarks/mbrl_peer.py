"""mbrl-lib's PETS on our cart-pole: runs in the environment `build/mbrl` and prints JSON, one object a line.

    python mbrl_peer.py train --steps 1000            its own training loop; a line after every episode
    python mbrl_peer.py plan                          seconds of each of some plans, with an untrained model
    python mbrl_peer.py fit --data build/fit.npz      its trainer: validation errors over gradient steps and seconds

Defaults are the settings that mbrl-lib ships for its own cart-pole (`examples/conf/overrides/pets_cartpole.yaml`). Our
environment needs no adapter but `Episodes`: both sides speak gymnasium's API.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from typing import Any

import gymnasium
import mbrl.algorithms.pets
import mbrl.models
import mbrl.planning
import mbrl.util.common
import numpy as np
import omegaconf
import torch
from torch import Tensor

from hw4.commands.threads import use_one_thread
from hw4.envs import make_env
from hw4.tasks import TASKS

BUFFER_SIZE = 5000  # transitions: more than any run here takes


class Episodes(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Seeds the resets as `hw4.training.train` does, and prints a line at the end of every episode."""

    def __init__(self, env: gymnasium.Env[Any, Any], seed: int, num_episodes: int) -> None:
        super().__init__(env)
        (stream,) = np.random.SeedSequence(seed).spawn(1)
        self._seeds = iter(stream.generate_state(num_episodes + 1))  # the loop resets once more at the end
        self._wall, self._process = time.perf_counter(), time.process_time()
        self._env_steps, self._return = 0, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._return = 0.0
        return self.env.reset(seed=int(next(self._seeds)))

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._env_steps += 1
        self._return += float(reward)
        if truncated:
            say(
                env_steps=self._env_steps,
                episode_return=self._return,
                wall_s=time.perf_counter() - self._wall,
                process_s=time.process_time() - self._process,
            )
        return observation, reward, terminated, truncated, info


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def configuration(options: argparse.Namespace) -> omegaconf.DictConfig:
    """What Hydra would compose from mbrl-lib's files, with the options in place of the same shipped numbers."""
    return omegaconf.OmegaConf.create(
        {
            "seed": options.seed,
            "device": "cpu",
            "debug_mode": False,
            "dynamics_model": {
                "_target_": "mbrl.models.GaussianMLP",
                "_recursive_": False,  # Hydra 1.0, which it was written for, built outer objects alone
                "device": "cpu",
                "num_layers": options.layers,
                "ensemble_size": options.members,
                "hid_size": options.width,
                "deterministic": options.deterministic,
                "propagation_method": "random_model",
                "learn_logvar_bounds": False,
                "activation_fn_cfg": {"_target_": "torch.nn.SiLU"},
            },
            "algorithm": {
                "agent": {
                    "_target_": "mbrl.planning.TrajectoryOptimizerAgent",
                    "_recursive_": False,
                    "action_lb": "???",
                    "action_ub": "???",
                    "planning_horizon": options.horizon,
                    "optimizer_cfg": {
                        "_target_": "mbrl.planning.CEMOptimizer",
                        "num_iterations": options.iterations,
                        "elite_ratio": 0.1,
                        "population_size": options.population,
                        "alpha": 0.1,
                        "lower_bound": "???",
                        "upper_bound": "???",
                        "return_mean_elites": True,
                        "device": "cpu",
                        "clipped_normal": False,
                    },
                    "replan_freq": 1,
                    "verbose": False,
                },
                "normalize": True,
                "normalize_double_precision": True,
                "target_is_delta": True,
                "initial_exploration_steps": TASKS[options.task].episode_length,
                "freq_train_model": options.refit_every,
                "learned_rewards": False,
                "num_particles": options.particles,
                "dataset_size": BUFFER_SIZE,
            },
            "overrides": {
                "num_steps": options.steps - TASKS[options.task].episode_length,
                "num_elites": options.elite_members,
                "model_lr": options.learning_rate,
                "model_wd": options.weight_decay,
                "model_batch_size": options.batch,
                "validation_ratio": 0,
                "patience": options.epochs,
                "num_epochs_train_model": options.epochs,
            },
        }
    )


def reward_of(task_name: str) -> Any:
    reward = TASKS[task_name].reward  # of the tasks used here it depends on the action and what is reached alone

    def reward_fn(actions: Tensor, next_observations: Tensor) -> Tensor:
        return reward(next_observations, actions, next_observations)[:, None]  # type: ignore[no-any-return]

    return reward_fn


def never_terminates(actions: Tensor, next_observations: Tensor) -> Tensor:
    return torch.zeros(len(actions), 1, dtype=torch.bool)


def train(options: argparse.Namespace) -> None:
    """mbrl-lib's own loop, unchanged. Its learned model and data go to a folder that is removed."""
    task = TASKS[options.task]
    env = Episodes(make_env(options.task), options.seed, options.steps // task.episode_length)
    env.action_space.seed(options.seed)  # the random episode
    with tempfile.TemporaryDirectory() as folder:
        mbrl.algorithms.pets.train(
            env, never_terminates, reward_of(options.task), configuration(options), silent=True, work_dir=folder
        )


def plan(options: argparse.Namespace) -> None:
    cfg, env = configuration(options), make_env(options.task)
    model = model_of(cfg, env)
    filled_buffer(cfg, env, 100, model)
    model_env = mbrl.models.ModelEnv(
        env, model, never_terminates, reward_of(options.task), generator=torch.Generator().manual_seed(options.seed)
    )
    agent = mbrl.planning.create_trajectory_optim_agent_for_model(
        model_env, cfg.algorithm.agent, num_particles=options.particles
    )
    observation, _ = env.reset(seed=options.seed)
    wall, process = [], []
    for _ in range(options.repetitions + 1):  # the first warms up
        start = time.perf_counter(), time.process_time()
        agent.act(observation)
        wall.append(time.perf_counter() - start[0])
        process.append(time.process_time() - start[1])
    say(wall_s=wall[1:], process_s=process[1:])


def fit(options: argparse.Namespace) -> None:
    """Trains on given transitions; after every `--report` gradient steps prints the error on others.

    The clock runs in the trainer alone. It scores the model on its training data after every epoch, which is how it is
    called by its PETS; `--no-scores` leaves that out.
    """
    data = np.load(options.data)
    cfg, env = configuration(options), make_env(options.task)
    model = model_of(cfg, env)
    buffer = mbrl.util.common.create_replay_buffer(
        cfg, env.observation_space.shape, env.action_space.shape, obs_type=np.double, action_type=np.double,
        rng=np.random.default_rng(options.seed),
    )  # fmt: skip
    for observation, action, following in zip(data["observation"], data["action"], data["following"], strict=True):
        buffer.add(observation, action, following, 0.0, False, False)
    train_set, _ = mbrl.util.common.get_basic_buffer_iterators(
        buffer, options.batch, 0, ensemble_size=options.members, shuffle_each_epoch=True
    )
    model.update_normalizer(buffer.get_all())
    trainer = mbrl.models.ModelTrainer(model, optim_lr=options.learning_rate, weight_decay=options.weight_decay)
    batches = -(-len(data["action"]) // options.batch)
    steps, wall, process = 0, 0.0, 0.0
    while steps < options.gradient_steps:
        epochs = max(1, round(options.report / batches))
        start = time.perf_counter(), time.process_time()
        trainer.train(train_set, num_epochs=epochs, patience=epochs, evaluate=not options.no_scores, silent=True)
        wall, process = wall + time.perf_counter() - start[0], process + time.process_time() - start[1]
        steps += epochs * batches
        say(gradient_steps=steps, wall_s=wall, process_s=process, error=error_of(model, data))


def error_of(model: Any, data: Any) -> float:
    """Mean over members of sqrt(mean over features of (mean squared error / variance of the change))."""
    inputs = model._get_model_input(data["valid_observation"], data["valid_action"])
    with torch.no_grad():
        means, _ = model.forward(inputs, use_propagation=False)
    change = torch.from_numpy(data["valid_following"] - data["valid_observation"])
    squared = ((means - change) ** 2).mean(dim=1) / change.var(dim=0, correction=0)
    return float(squared.mean(dim=-1).sqrt().mean())


def model_of(cfg: omegaconf.DictConfig, env: gymnasium.Env[Any, Any]) -> Any:
    return mbrl.util.common.create_one_dim_tr_model(cfg, env.observation_space.shape, env.action_space.shape)


def filled_buffer(cfg: omegaconf.DictConfig, env: gymnasium.Env[Any, Any], num_steps: int, model: Any) -> Any:
    """A buffer of random actions; the model's normaliser has seen it."""
    buffer = mbrl.util.common.create_replay_buffer(
        cfg, env.observation_space.shape, env.action_space.shape, obs_type=np.double, action_type=np.double
    )
    mbrl.util.common.rollout_agent_trajectories(
        env, num_steps, mbrl.planning.RandomAgent(env), {}, replay_buffer=buffer
    )
    model.update_normalizer(buffer.get_all())
    return buffer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=("train", "plan", "fit"))
    parser.add_argument("--task", default="cartpole", choices=("cartpole", "half_cheetah"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1000, help="env steps in all, the random episode included")
    for name, number in {
        "members": 7, "elite-members": 5, "layers": 4, "width": 200,
        "population": 350, "iterations": 5, "horizon": 15, "particles": 20,
        "refit-every": 50, "epochs": 25, "batch": 256,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--learning-rate", type=float, default=7.5e-4)
    parser.add_argument("--weight-decay", type=float, default=3e-5)
    parser.add_argument("--deterministic", action="store_true", help="members trained on squared error")
    parser.add_argument("--repetitions", type=int, default=15, help="plans that are timed")
    parser.add_argument("--data", help="npz of the transitions to fit")
    parser.add_argument("--gradient-steps", type=int, default=800)
    parser.add_argument("--report", type=int, default=100, help="gradient steps between reports")
    parser.add_argument("--no-scores", action="store_true", help="do not score the training data after each epoch")
    options = parser.parse_args()
    use_one_thread()
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)
    {"train": train, "plan": plan, "fit": fit}[options.what](options)


if __name__ == "__main__":
    main()
