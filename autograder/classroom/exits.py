"""How the commands for a class end."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from rich.console import Console

DONE, REFUSED, FAULT, INTERRUPTED = 0, 4, 5, 130  # exit statuses, as those of `grade`


def told(command: Callable[..., int]) -> Callable[..., int]:
    """Errors that a TA can fix become one line and an exit status."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> int:
        from autograder.classroom.intake.entries import ClassError
        from autograder.classroom.night.grade_class import CanaryFailed

        console = Console(file=sys.stdout, soft_wrap=True)
        try:
            return command(*args, **kwargs)
        except ClassError as error:
            console.print(f"Refused, nothing was done: {error}", markup=False, style="red")
            return REFUSED
        except CanaryFailed as error:
            console.print(f"Nobody is graded: {error}", markup=False, style="magenta")
            return FAULT
        except KeyboardInterrupt:
            console.print("Interrupted. Finished work is kept; the same command resumes from there.", style="red")
            return INTERRUPTED

    return run
