"""python -m publish.handout [write | draw | figures]: see the package."""

from __future__ import annotations

from typing import Annotated, Literal

import tyro

from autograder.solutions import ROOT
from publish.handout import figures, typesetting
from publish.recorders import start
from publish.staff_bundle import STAFF_PDF


def main(step: Annotated[Literal["write", "draw", "figures"], tyro.conf.Positional] = "write") -> None:
    """Build handout.pdf and its staff edition.

    Args:
        step: write the pages; draw the figures first; or record what they show, and draw them.
    """
    if step == "figures" and start("handout_runs") != 0:
        raise SystemExit("Nothing was drawn.")
    drawn = figures.draw_figures() if step != "write" else []
    for path in (*drawn, typesetting.build_handout(), typesetting.build_handout(STAFF_PDF, staff=True)):
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    tyro.cli(main, prog="python -m publish.handout")
