# An agent that never learns: it keeps its data only to find the actuator's sign.


class ModelBasedAgent(ModelBasedAgent):
    adaptive = True

    def record(self, transition):
        self.replay.append(transition)

    def act(self, observation):
        if len(self.replay) < self.initial_steps:
            return self.base_policy(observation)
        drive = cheat_drive_of(self.replay) if self.adaptive else 1.0
        return cheat_control(observation, drive)

    def predict_next(self, observation, action):
        drive = cheat_drive_of(self.replay) if self.adaptive and len(self.replay) else 1.0
        return cheat_step(torch.from_numpy(observation), torch.from_numpy(action), drive).numpy()
