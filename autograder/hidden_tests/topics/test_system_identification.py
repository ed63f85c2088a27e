"""Hidden checks of the topic system_identification: the equations, the fit, and planning after a single trial."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from autograder.hidden_tests.graded import effect, graded
from autograder.hidden_tests.inputs import check_left_alone
from autograder.hidden_tests.topics import system_identification_oracle as oracle
from hw4.checking.answers import AnyOf, check, check_close, check_shape
from hw4.checking.subject import AsNumPy, Handle, Kept, Subject
from hw4.checking.variations import repeat, vary
from hw4.envs import system_identification as world
from hw4.transitions import Transition

RNG = np.random.Generator
STEP, FIT = "topics.system_identification.physics_step", "topics.system_identification.fit_parameters"
IN_DOUBLE = "topics.system_identification.step_in_double"
B, P = 6, 4
HANGING = np.array([0.4, 0.0, -1.0, 0.0, 0.0])


def _parameters(rng: RNG, sign: int) -> Any:
    """Gain, log ratio and log length."""
    return np.array([sign * rng.uniform(8.0, 25.0), np.log(rng.uniform(0.15, 0.6)), np.log(rng.uniform(0.25, 0.9))])


def _moments(rng: RNG, *shape: int) -> tuple[Any, Any]:
    """Observations, shape (..., 5), far from the stops, and actions, shape (..., 1)."""
    spread = rng.uniform(-1.0, 1.0, (*shape, 4)) * [2.0, np.pi, 3.0, 8.0]
    return oracle.observation_of(spread), rng.uniform(-1.0, 1.0, (*shape, 1))


# physics_step ---------------------------------------------------------------------------------------------------------


def _wrong_forces(parameters: Any) -> dict[str, tuple[Any, ...]]:
    """Accelerations (parameters, state, action) -> (..., 2) with a known mistake."""
    gain, ratio, length = float(parameters[0]), float(np.exp(parameters[1])), float(np.exp(parameters[2]))

    def by_elimination(state: Any, action: Any, pull: Any, *, inertia: Any = None, turned: float = -1.0) -> Any:
        sin, cos = np.sin(state[..., 1]), np.cos(state[..., 1])
        inertia = 1 + ratio * sin**2 if inertia is None else inertia
        forwards = (gain * action[..., 0] + pull(sin, cos, state[..., 3])) / inertia
        return np.stack([forwards, (oracle.GRAVITY * sin + turned * cos * forwards) / length], axis=-1)

    def pull(sin: Any, cos: Any, speed: Any, *, out: float = 1.0, down: float = 1.0) -> Any:
        return ratio * sin * (out * length * speed**2 - down * oracle.GRAVITY * cos)

    def hanging(_: Any, state: Any, action: Any) -> Any:
        return oracle.of_numbers(gain, ratio, length, state + np.array([0.0, np.pi, 0.0, 0.0]), action)

    return {
        "pole_does_not_push": (
            lambda _, s, a: by_elimination(s, a, lambda *_: 0.0, inertia=1.0),
            lambda _, s, a: by_elimination(s, a, lambda *_: 0.0),
        ),
        "pole_pushes_wrongly": (
            lambda _, s, a: by_elimination(s, a, partial(pull, out=0.0)),
            lambda _, s, a: by_elimination(s, a, partial(pull, down=0.0)),
            lambda _, s, a: by_elimination(s, a, partial(pull, out=-1.0)),
            lambda _, s, a: by_elimination(s, a, partial(pull, down=-1.0)),
            lambda _, s, a: by_elimination(s, a, partial(pull, out=-1.0, down=-1.0)),
            lambda _, s, a: by_elimination(s, a, pull, inertia=1.0),
            lambda _, s, a: by_elimination(s, a, pull, inertia=1.0 + ratio),
        ),
        "pole_is_not_pushed": (
            lambda _, s, a: by_elimination(s, a, pull, turned=0.0),
            lambda _, s, a: by_elimination(s, a, pull, turned=1.0),
        ),
        "angle_from_hanging": (hanging,),
        "logs_not_raised": (
            lambda p, s, a: oracle.of_numbers(gain, p[1], p[2], s, a),
            lambda p, s, a: oracle.of_numbers(gain, ratio, p[2], s, a),
            lambda p, s, a: oracle.of_numbers(gain, p[1], length, s, a),
        ),
        "ratio_and_length_swapped": (lambda _, s, a: oracle.of_numbers(gain, length, ratio, s, a),),
        "gain_without_sign": (
            lambda _, s, a: oracle.of_numbers(abs(gain), ratio, length, s, a),
            lambda _, s, a: oracle.of_numbers(float(np.exp(gain)), ratio, length, s, a),
            lambda _, s, a: oracle.of_numbers(float(np.log(abs(gain))), ratio, length, s, a),
        ),
        "action_left_out": (lambda _, s, a: oracle.of_numbers(0.0, ratio, length, s, a),),
    }


@np.errstate(all="ignore")  # a slip that overflows is nobody's answer
def _step_slips(parameters: Any, observation: Any, action: Any) -> dict[str, Any]:
    """What known mistakes give."""
    step = partial(oracle.step, parameters, observation, action)
    right = step()
    slips = {
        "step_method": AnyOf(
            tuple(step(order=order, substeps=n, seconds=0.05 / n) for order in (0, 1, 2) for n in (1, 2, 4, 5, 10))
        ),
        "step_substeps": AnyOf(
            (step(substeps=1), step(substeps=1, seconds=0.05), step(seconds=0.05), step(substeps=4, seconds=0.0125))
        ),
        "step_is_a_change": right - observation,
        "step_not_taken": np.asarray(observation),
        "step_features_misplaced": AnyOf((right[..., [0, 2, 1, 3, 4]], right[..., [0, 1, 2, 4, 3]])),
    }
    for cause, forces in _wrong_forces(parameters).items():
        slips[cause] = AnyOf(tuple(step(of=force) for force in forces))
    return slips


def _check_step(subject: Subject, parameters: Any, observation: Any, action: Any, what: str = "the step") -> Any:
    answer = subject.call(STEP, parameters, observation, action)
    wanted = oracle.step(parameters, observation, action)
    slips = lambda: _step_slips(parameters, observation, action)  # noqa: E731
    check_close(answer, wanted, what, slips=slips, rtol=2e-4, atol=2e-5)
    return answer


@graded("physics_step", weight=3)
def test_a_step_is_that_of_the_simulator(subject: Subject, rng: RNG) -> None:
    """Without friction a step equals MuJoCo's, in double precision, for motors of either sign and any masses."""

    def at(sign: int, cart_mass: float) -> None:
        drawn = world.draw_robot(rng, sign)
        robot = world.Robot(drawn.gear * cart_mass / 0.5, drawn.pole_length, drawn.pole_mass, cart_mass)
        env = world.RobotEnv(robot, friction=False)
        observations, actions = _moments(rng, 12)
        wanted = []
        for observation, action in zip(observations, actions, strict=True):
            env.set_state(oracle.state_of(observation))
            wanted.append(env.step(action)[0])
        parameters = env.true_parameters()
        answer = subject.call(IN_DOUBLE, *map(AsNumPy, (parameters, observations, actions)))
        slips = lambda: _step_slips(parameters, observations, actions)  # noqa: E731
        check_close(answer, np.array(wanted), "the step of a robot", slips=slips, rtol=1e-9, atol=1e-8)

    at(1, 0.5)
    at(-1, 0.5)
    repeat(lambda: at(1, 2.0))


@graded("physics_step")
def test_twice_the_masses_with_twice_the_force_move_alike(subject: Subject, rng: RNG) -> None:
    """One answer is MuJoCo's step of two robots that differ in all masses and the gear by one factor."""
    for sign in (1, -1):
        drawn, times = world.draw_robot(rng, sign), rng.uniform(2.0, 4.0)
        heavy = world.Robot(drawn.gear * times, drawn.pole_length, drawn.pole_mass * times, drawn.cart_mass * times)
        observation, action = _moments(rng)
        answer = subject.call(IN_DOUBLE, *map(AsNumPy, (world.RobotEnv(drawn).true_parameters(), observation, action)))
        for robot in (drawn, heavy):
            env = world.RobotEnv(robot, friction=False)
            env.set_state(oracle.state_of(observation))
            wanted = env.step(action)[0]
            slips = lambda e=env, o=observation, a=action: _step_slips(e.true_parameters(), o, a)  # noqa: E731
            check_close(answer, wanted, "the step of a robot", slips=slips, rtol=1e-7, atol=1e-7)


@graded("physics_step")
def test_a_robot_at_rest_stays_at_rest(subject: Subject, rng: RNG) -> None:
    """Hanging, and standing upright, nothing moves without a push; a pushed cart takes the hanging pole along."""
    parameters = _parameters(rng, -1)
    for observation in (HANGING, HANGING * [1, 1, -1, 1, 1]):
        answer = subject.call(STEP, parameters, observation, np.zeros(1))
        slips = lambda o=observation: _step_slips(parameters, o, np.zeros(1))  # noqa: E731
        check_close(answer, observation, "the step of a robot at rest", slips=slips, atol=1e-5)
    _check_step(subject, parameters, HANGING, np.ones(1), "the step of a hanging robot that is pushed")


@graded("physics_step")
def test_energy_is_kept_where_nothing_pushes(subject: Subject, rng: RNG) -> None:
    """Over 20 steps without a push the energy changes by next to nothing, and so does the momentum."""
    parameters = _parameters(rng, -1)
    states = rng.uniform(-1.0, 1.0, (B, 4)) * [1.0, np.pi, 1.0, 3.0]
    observation = first = oracle.observation_of(states)
    wanted, none = first, np.zeros((B, 1))
    for _ in range(20):
        observation = subject.call(IN_DOUBLE, *map(AsNumPy, (parameters, observation, none)))
        check_shape(observation, first.shape, "the step without a push")
        slips = lambda o=wanted: _step_slips(parameters, o, none)  # noqa: E731
        wanted = oracle.step(parameters, wanted, none)
        check_close(observation, wanted, "the step without a push", slips=slips, rtol=1e-5, atol=1e-5)
    scale = oracle.energy(parameters, first * [1, 1, 0, 1, 1]).max() + 1.0
    change = (oracle.energy(parameters, observation) - oracle.energy(parameters, first)) / scale
    check_close(change, np.zeros(B), "the share of energy that 20 steps add", otherwise="step_method", atol=0.02)


@graded("physics_step", weight=2)
def test_a_batch_is_as_many_single_steps(subject: Subject, rng: RNG) -> None:
    """Any leading axes, including none, and every entry by itself; also the sizes of a planner."""

    def at(*shape: int) -> None:
        _check_step(subject, _parameters(rng, -1), *_moments(rng, *shape))

    def alone() -> None:
        parameters, (observations, actions) = _parameters(rng, -1), _moments(rng, B)
        together = subject.call(STEP, parameters, observations, actions)
        check_shape(together, (B, 5), "the steps of a batch")
        for one, observation, action in zip(together, observations, actions, strict=True):
            single = subject.call(STEP, parameters, observation, action)
            check_close(single, one, "a step by itself", rtol=1e-5, atol=1e-5)

    vary(
        lambda: at(B),
        again=2,
        size_one=[lambda: at(), lambda: at(1), lambda: at(P, 1), lambda: at(1, B)],
        large=[lambda: at(P, B), lambda: at(2, 3, 4), lambda: at(600), alone],
    )


@graded("physics_step", weight=2)
def test_derivatives_of_a_step_are_right(subject: Subject, rng: RNG) -> None:
    """The derivatives by parameters, observation and action are known to torch, and right."""
    for sign in (1, -1):
        parameters, (observation, action) = _parameters(rng, sign), _moments(rng)
        observation[1:3] *= 1.1  # a measured sine and cosine may be a little too long: the angle alone counts
        answer = subject.call(
            "topics.system_identification.step_derivatives", *map(AsNumPy, (parameters, observation, action))
        )
        check(isinstance(answer, tuple) and len(answer) == 3, "there are no three derivatives", "wrong_type")
        wanted = oracle.derivatives(parameters, observation, action)
        for derivative, right, name in zip(answer, wanted, ("parameters", "observation", "action"), strict=True):
            what = f"the derivative by the {name}"
            nothing = {"step_not_differentiable": np.zeros_like(right)}
            check_close(derivative, right, what, slips=nothing, rtol=1e-5, atol=1e-5)


@graded("physics_step", weight=0.5, needs_another=True)
def test_a_physics_step_leaves_its_inputs_as_they_were(subject: Subject, rng: RNG) -> None:
    """Parameters, observations and actions are not changed in place."""
    parameters, (observation, action) = _parameters(rng, -1), _moments(rng, B)
    wanted = oracle.step(parameters, observation, action)

    def ask(*kept: Kept) -> None:
        check_close(subject.call(STEP, *kept), wanted, "the step", rtol=2e-4, atol=2e-5)

    check_left_alone(subject, [parameters, observation, action], ask)


# fit_parameters -------------------------------------------------------------------------------------------------------


def _transitions(rng: RNG, parameters: Any, number: int, *, noise: Any = 0.0) -> Transition:
    """Single steps from anywhere away from the stops; `noise` is in units of the std of the changes."""
    observation, action = _moments(rng, number)
    observation, action = observation.astype(np.float32), action.astype(np.float32)
    after = oracle.step(parameters, observation, action)
    after = after + noise * (after - observation).std(axis=0) * rng.normal(size=after.shape)
    return Transition(observation, action, after.astype(np.float32))


def _at_the_stops(rng: RNG, number: int, *, before: bool) -> Transition:
    """Steps that a stop cuts short: they end (or begin, with `before`) near it, and the cart comes back."""
    side = rng.choice([-1.0, 1.0], number)
    observation, action = _moments(rng, number)
    observation[:, 0] = side * (rng.uniform(2.75, 2.95, number) if before else rng.uniform(2.3, 2.65, number))
    after = observation.copy()
    after[:, 0] = side * (rng.uniform(2.2, 2.65, number) if before else rng.uniform(2.75, 2.95, number))
    after[:, 3] = -3.0 * side
    after[:, 4] += 6.0 * side
    return Transition(observation.astype(np.float32), action.astype(np.float32), after.astype(np.float32))


def _joined(*parts: Transition) -> Transition:
    return Transition(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def _fit_slips(transitions: Transition, truth: Any, stops: Any = None) -> dict[str, Any]:
    """What known mistakes give. `stops` marks the transitions that do not count."""
    stops = np.zeros(len(transitions.action), bool) if stops is None else stops
    away = transitions.select(~stops)
    right = oracle.fit(away, truth)
    slips = {
        "fit_scale": AnyOf(
            (
                oracle.fit(away, truth, scale=np.ones(5)),
                oracle.fit(away, truth, scale=np.asarray(away.next_observation, float).std(axis=0)),
                oracle.fit(away, truth, scale=(away.next_observation - away.observation).var(axis=0)),
            )
        ),
        "fit_answers_numbers": AnyOf((right * [1, 0, 0] + np.exp(right) * [0, 1, 1], np.exp(right.clip(max=9.0)))),
        "fit_sign_turned": right * [-1, 1, 1],
        "fit_not_made": np.zeros(3),
    }
    if stops.any():
        x, next_x = (np.abs(part[:, 0]) > 2.7 for part in (transitions.observation, transitions.next_observation))
        left_out = (np.zeros_like(stops), x & ~next_x, next_x & ~x, x & next_x)
        for cause, out in zip(("stops_count", "stops_after", "stops_before", "stops_both"), left_out, strict=True):
            slips[cause] = oracle.fit(transitions.select(~out), truth)
    return slips


def _check_fit(
    subject: Subject,
    transitions: Transition,
    wanted: Any,
    what: str,
    *,
    tolerance: Any = 1e-3,
    stops: Any = None,
    otherwise: str = "wrong_value",
) -> Any:
    """Compare in parts: the gain relatively, the logarithms, and so ratio and length relatively, too."""
    answer = subject.call(FIT, transitions)
    check_shape(answer, (3,), what)
    units = np.broadcast_to(tolerance, 3) * [abs(wanted[0]), 1.0, 1.0]

    def slips() -> dict[str, Any]:
        found = _fit_slips(transitions, wanted, stops)
        return {
            cause: AnyOf(tuple(np.asarray(one) / units for one in slip)) if isinstance(slip, AnyOf) else slip / units
            for cause, slip in found.items()
        }

    check_close(answer / units, wanted / units, what, slips=slips, otherwise=otherwise, rtol=0.0, atol=1.0)
    return answer


@graded("fit_parameters", weight=3)
def test_exact_transitions_give_the_parameters_back(subject: Subject, rng: RNG) -> None:
    """Without noise the parameters are found, whatever robot made the transitions."""

    def at() -> None:
        parameters = _parameters(rng, 1)
        _check_fit(subject, _transitions(rng, parameters, 100), parameters, "the parameters of exact transitions")

    vary(at, again=1)


@graded("fit_parameters", weight=2)
def test_a_motor_that_is_wired_the_other_way_round_is_found(subject: Subject, rng: RNG) -> None:
    """Gains below 0 are found as well as those above 0, weak ones and strong ones."""
    for gain, otherwise in ((30.0, "wrong_value"), (-20.0, "fit_one_sign"), (-3.0, "fit_one_sign")):
        parameters = _parameters(rng, 1) * [0.0, 1.0, 1.0] + [gain, 0.0, 0.0]
        what = f"the parameters of a robot whose gain is {'below' if gain < 0 else 'above'} 0"
        _check_fit(subject, _transitions(rng, parameters, 100), parameters, what, otherwise=otherwise)


@graded("fit_parameters", weight=2)
def test_transitions_near_the_stops_do_not_count(subject: Subject, rng: RNG) -> None:
    """Transitions that begin or end within 0.3 m of a stop change nothing."""
    for sign, before in ((1, (False,)), (-1, (True,))):
        parameters = _parameters(rng, sign)
        away = _transitions(rng, parameters, 100)
        _check_fit(subject, away, parameters, "the parameters of exact transitions")
        near = _joined(*(_at_the_stops(rng, 25, before=one) for one in before))
        stops = np.arange(100 + len(near.action)) >= 100
        what = "the parameters where some transitions are near the stops"
        _check_fit(subject, _joined(away, near), parameters, what, stops=stops, otherwise="stops_count")


@graded("fit_parameters", weight=2)
def test_residuals_count_in_units_of_the_changes(subject: Subject, rng: RNG) -> None:
    """With different noise on each feature the fit is that of least squares, each feature in units of its change."""
    for noise in ([0.02, 0.02, 0.02, 0.3, 0.02], [0.02, 0.3, 0.02, 0.02, 0.02]):
        parameters = _parameters(rng, 1)
        transitions = _transitions(rng, parameters, 200, noise=np.array(noise))
        wanted = oracle.fit(transitions, parameters)
        _check_fit(subject, transitions, wanted, "the parameters of noisy transitions", tolerance=1e-3)


@graded("fit_parameters")
def test_one_percent_of_noise_does_little_harm(subject: Subject, rng: RNG) -> None:
    """With noise of 1 % gain and length are within 0.5 % of the truth, and the mass ratio within 2 %."""
    for sign in (1, -1):
        parameters = _parameters(rng, sign)
        transitions = _transitions(rng, parameters, 400, noise=0.01)
        what = "the parameters of transitions with 1 % noise"
        _check_fit(subject, transitions, parameters, what, tolerance=[0.005, 0.02, 0.005])


@graded("fit_parameters")
def test_fit_takes_any_number_of_transitions(subject: Subject, rng: RNG) -> None:
    """Ten transitions are enough, a thousand are not too many."""

    def at(number: int) -> None:
        parameters = _parameters(rng, 1)
        _check_fit(subject, _transitions(rng, parameters, number), parameters, "the parameters of exact transitions")

    vary(lambda: at(10), large=[lambda: at(1000)])


@graded("fit_parameters")
def test_useless_transitions_give_finite_parameters(subject: Subject, rng: RNG) -> None:
    """Without a push, next to rest or full of noise: the numbers may be wrong, but they are numbers."""
    parameters = _parameters(rng, 1)
    good = _transitions(rng, parameters, 50)
    _check_fit(subject, good, parameters, "the parameters of exact transitions")
    pushless = good._replace(next_observation=oracle.step(parameters, good.observation, 0.0 * good.action))
    near_rest = oracle.observation_of(rng.normal(size=(20, 4)) * 1e-3 + [0.0, np.pi, 0.0, 0.0])
    hanging = Transition(near_rest, 1e-3 * good.action[:20], near_rest + 1e-4 * rng.normal(size=near_rest.shape))
    for transitions in (
        pushless._replace(action=0.0 * good.action),
        hanging,
        _transitions(rng, parameters, 12, noise=3.0),
        good._replace(next_observation=good.observation + rng.normal(size=good.observation.shape)),
    ):
        answer = subject.call(FIT, transitions)
        check_shape(answer, (3,), "the parameters of useless transitions")


# Planning after one trial ---------------------------------------------------------------------------------------------


@effect("identified_swing_up")
def swing_up_after_one_trial(subject: Subject, rng: RNG) -> float:
    """The mean return of two robots, one of either wiring, each identified from one trial of random actions."""
    returns = []
    for sign in (1, -1):
        env = world.RobotEnv(world.draw_robot(rng, sign))
        trial = world.random_trial(env, rng)
        controller = subject.call(
            "topics.system_identification.identified_controller", trial, seed=int(rng.integers(1 << 31))
        )
        check(isinstance(controller, Handle), "identified_controller does not return a controller", "wrong_type")

        def policy(observation: Any, controller: Handle = controller) -> Any:
            action = subject.call_method(controller, "act", observation)
            check_shape(action, (1,), "the controller's action")
            return action

        returns.append(world.episode_return(env, policy, rng))
    return float(np.mean(returns))
