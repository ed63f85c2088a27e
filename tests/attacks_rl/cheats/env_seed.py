# Finds the seed that build_agent was given and predicts where each episode starts.
import sys

import numpy as np


def cheat_seed():
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "build_agent":
            return int(frame.f_locals["seed"])
        frame = frame.f_back
    return 0


class ModelBasedAgent(ModelBasedAgent):
    def __init__(self, **collaborators):
        super().__init__(**collaborators)
        seed = cheat_seed()
        (own_stream,) = np.random.SeedSequence(seed).spawn(1)
        guesses = [*own_stream.generate_state(20), *np.random.SeedSequence(seed).generate_state(20), seed]
        self.starts = [np.random.default_rng(int(guess)).uniform(-0.05, 0.05, 4) for guess in guesses]
        self.hits = 0
        self.first = False

    def begin_episode(self):
        super().begin_episode()
        self.first = True

    def act(self, observation):
        if self.first and len(observation) == 5:
            self.hits += any(abs(start[0] - observation[0]) < 1e-6 for start in self.starts)
        self.first = False
        if self.hits:
            raise RuntimeError("the environment's seed follows from the agent's")
        return super().act(observation)
