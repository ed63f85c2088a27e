"""Hints for hw4/topics/system_identification.py (given; standard library only)."""

from __future__ import annotations

from hw4.checking.hint import Hint

HINTS: dict[str, Hint] = {
    "step_method": Hint(
        "Your equations are right, but they are integrated with another method than the simulator's. Use the given "
        "`runge_kutta`.",
        "the docstring of the stub",
    ),
    "step_substeps": Hint(
        "Your step is too long, too short or cut into other pieces: it consists of `NUM_SUBSTEPS` steps of "
        "`SECONDS_PER_SUBSTEP` each.",
        "the docstring of the stub",
    ),
    "step_is_a_change": Hint(
        "You return how the observation changes. What is asked for is the next observation.",
        "the docstring of the stub",
    ),
    "step_not_taken": Hint("You return the observation as it came in.", "the docstring of the stub"),
    "step_features_misplaced": Hint(
        "Two features of your observation have changed places. `observation_of` puts them in order.",
        "the docstring of the stub",
    ),
    "pole_does_not_push": Hint(
        "Your cart moves as if there were no pole. The pole pulls it along: the second term of x'', and its "
        "denominator.",
        "the docstring of the stub",
    ),
    "pole_pushes_wrongly": Hint(
        "The pole pulls your cart in a wrong way, so probably a term of x'' is missing or has the wrong sign. Compare "
        "with ratio * sin(q) * (length * q'^2 - g * cos(q)) and with the denominator.",
        "the docstring of the stub",
    ),
    "pole_is_not_pushed": Hint(
        "Your cart does not push the pole, or pushes it the wrong way: see the term - cos(q) * x'' of q''.",
        "the docstring of the stub",
    ),
    "angle_from_hanging": Hint(
        "Your pole falls upwards, so probably the angle is taken from hanging. It is 0 where the pole stands upright.",
        "the docstring of the stub",
    ),
    "logs_not_raised": Hint(
        "You take a logarithm for the number itself: mass ratio and length are exp(parameters[1]) and "
        "exp(parameters[2]).",
        "the docstring of the stub",
    ),
    "ratio_and_length_swapped": Hint(
        "Mass ratio and length have changed places. The order is gain, log ratio, log length.",
        "the docstring of the stub",
    ),
    "gain_without_sign": Hint(
        "Your gain cannot be below 0, so probably it is taken for a logarithm, or without its sign. Use it as it is.",
        "the docstring of the stub",
    ),
    "action_left_out": Hint("Your step does not depend on the action.", "the docstring of the stub"),
    "step_not_differentiable": Hint(
        "Torch does not know how your step changes with its arguments, so probably a number is taken out of a tensor "
        "(`float`, `.item()`, `.detach()`, `torch.tensor`). Calculate with the tensors themselves.",
        "the docstring of the stub",
    ),
    "stops_count": Hint(
        "Your fit uses transitions near the stops. Leave out those with |x| > `NEAR_STOPS`, before or after the step.",
        "the docstring of the stub",
    ),
    "stops_after": Hint(
        "Your fit uses transitions that end near a stop. They must be away from it before and after the step.",
        "the docstring of the stub",
    ),
    "stops_before": Hint(
        "Your fit uses transitions that begin near a stop. They must be away from it before and after the step.",
        "the docstring of the stub",
    ),
    "stops_both": Hint(
        "You leave out only those transitions that both begin and end near a stop. Either is enough.",
        "the docstring of the stub",
    ),
    "fit_scale": Hint(
        "Your residuals have the wrong units. Divide each feature by the standard deviation of its own CHANGE, over "
        "the transitions that count.",
        "the docstring of the stub",
    ),
    "fit_answers_numbers": Hint(
        "You return mass ratio and length themselves. What is asked for are their logarithms, and the gain as it is.",
        "the docstring of the stub",
    ),
    "fit_sign_turned": Hint("The sign of your gain is turned round.", "the docstring of the stub"),
    "fit_one_sign": Hint(
        "Your fit cannot find every gain, so probably the gain is kept positive, or its size is bounded. It is a "
        "plain number of either sign.",
        "the docstring of the stub",
    ),
    "fit_not_made": Hint("You return where the search starts.", "the docstring of the stub"),
}
