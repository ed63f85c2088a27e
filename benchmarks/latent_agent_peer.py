"""mbrl-lib's PlaNet on the dot of the topic latent_models: runs in the environment `build/mbrl` and prints JSON.

    python latent_agent_peer.py --horizon=15 --population=100 ...

Everything that is timed is mbrl-lib's own code, called as its `algorithms/planet.py` calls it: the trainer with its
sampler of sequences, and the agent that updates its belief and then plans. The frames get an axis for colour and the
range that it expects, 0 to 255.
"""

from __future__ import annotations

import argparse  # its environment has no tyro
import time
from typing import Any

import gymnasium
import mbrl.env.termination_fns
import mbrl.models
import mbrl.planning
import mbrl.util.common
import numpy as np
import omegaconf
import torch

from benchmarks.mbrl_peer import say
from hw4.commands.threads import use_one_thread
from hw4.envs.latent_models import ACT_DIM, EPISODE_LENGTH, RANDOM_EPISODES, SIZE, DotEnv

ENCODER = ((1, 8, 4, 2), (8, 16, 4, 2))  # in, out, kernel, stride: 16 x 16 -> 7 x 7 -> 2 x 2
DECODER = ((16, 2, 2), ((16, 8, 4, 2), (8, 1, 6, 2)))  # the same way back: 2 x 2 -> 6 x 6 -> 16 x 16


class Pixels(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Frames of shape (1, 16, 16), from 0 to 255."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(0.0, 255.0, (1, SIZE, SIZE), np.float32)

    def observation(self, observation: Any) -> Any:
        return 255.0 * observation[None]


def planet(options: argparse.Namespace) -> mbrl.models.PlaNetModel:
    """A PlaNet whose latent, memory and hidden layers are as large as ours."""
    return mbrl.models.PlaNetModel(
        obs_shape=(1, SIZE, SIZE),
        obs_encoding_size=options.width,
        encoder_config=ENCODER,
        decoder_config=DECODER,
        latent_state_size=options.latent_dim,
        action_size=ACT_DIM,
        belief_size=options.width,
        hidden_size_fcs=options.width,
        device="cpu",
        rng=torch.Generator().manual_seed(0),
    )


def agent_of(model_env: mbrl.models.ModelEnv, options: argparse.Namespace) -> Any:
    """Its agent with our numbers; the rest is as in its files."""
    agent_cfg = omegaconf.OmegaConf.create(
        {
            "_target_": "mbrl.planning.TrajectoryOptimizerAgent",
            "_recursive_": False,
            "action_lb": "???",
            "action_ub": "???",
            "planning_horizon": options.horizon,
            "optimizer_cfg": {
                "_target_": "mbrl.planning.CEMOptimizer",
                "num_iterations": options.iterations,
                "elite_ratio": options.elites / options.population,
                "population_size": options.population,
                "alpha": 0.0,
                "lower_bound": "???",
                "upper_bound": "???",
                "return_mean_elites": False,
                "device": "cpu",
                "clipped_normal": True,
            },
            "replan_freq": 1,
            "keep_last_solution": False,
            "verbose": False,
        }
    )
    return mbrl.planning.create_trajectory_optim_agent_for_model(model_env, agent_cfg)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    names = ("width", "latent-dim", "batch", "window", "horizon", "population", "iterations", "elites")
    for name in (*names, "gradient-steps", "repetitions"):
        parser.add_argument(f"--{name}", type=int, required=True)
    options = parser.parse_args()
    use_one_thread()
    torch.manual_seed(0)
    env = Pixels(DotEnv(starts_anywhere=True))
    env.reset(seed=0)
    env.action_space.seed(0)
    cfg = omegaconf.OmegaConf.create(
        {"algorithm": {"dataset_size": 10_000}, "overrides": {"trial_length": EPISODE_LENGTH}}
    )
    buffer = mbrl.util.common.create_replay_buffer(
        cfg, env.observation_space.shape, env.action_space.shape, collect_trajectories=True,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    mbrl.util.common.rollout_agent_trajectories(
        env, RANDOM_EPISODES, mbrl.planning.RandomAgent(env), {}, replay_buffer=buffer, collect_full_trajectories=True,
        trial_length=EPISODE_LENGTH, agent_uses_low_dim_obs=False,
    )  # fmt: skip
    model = planet(options)
    trainer = mbrl.models.ModelTrainer(model, optim_lr=1e-3, optim_eps=1e-4)
    sequences, _ = mbrl.util.common.get_sequence_buffer_iterator(
        buffer, options.batch, 0, options.window, max_batches_per_loop_train=options.gradient_steps,
        use_simple_sampler=True,
    )  # fmt: skip
    steps = []
    for _ in range(options.repetitions + 1):  # the first warms up
        began = time.process_time()
        trainer.train(sequences, num_epochs=1, evaluate=False, silent=True)
        steps.append((time.process_time() - began) / options.gradient_steps)
    say(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        gradient_step_s=steps[1:],
        action_s=seconds_of_actions(env, model, options),
    )


def seconds_of_actions(env: Any, model: mbrl.models.PlaNetModel, options: argparse.Namespace) -> list[float]:
    """Of each action of an episode but the first."""
    rng = torch.Generator().manual_seed(0)
    model_env = mbrl.models.ModelEnv(env, model, mbrl.env.termination_fns.no_termination, generator=rng)
    agent = agent_of(model_env, options)
    model.reset_posterior()
    observation, _ = env.reset(seed=1)
    action, seconds, truncated = None, [], False
    while not truncated:
        began = time.process_time()
        model.update_posterior(observation, action=action, rng=rng)
        action = np.clip(agent.act(observation), -1.0, 1.0, dtype=np.float32)
        seconds.append(time.process_time() - began)
        observation, _, _, truncated, _ = env.step(action)
    return seconds[1:]


if __name__ == "__main__":
    main()
