"""The handout: facts from their sources, figures from recorded runs, pages by Typst.

    python -m publish.handout           write handout.pdf and build/handout-staff.pdf
    python -m publish.handout draw      draw the figures first, from recorded runs and published bands
    python -m publish.handout figures   record what is missing of the runs that they show, and then the same

Typst gets every fact as one JSON string (`sys.inputs.facts`), so no number in a table is typed by hand. Of each
stub it shows the first sentence of its docstring, read from the reference solution without its body; the formula is in
the Typst source, once.
"""

from __future__ import annotations

from autograder.solutions import ROOT

HANDOUT = ROOT / "handout"
DATA = HANDOUT / "data"
FIGURES = HANDOUT / "figures"
PDF = ROOT / "handout.pdf"
MINUS = "\N{MINUS SIGN}"


class HandoutError(ValueError):
    """A source of the handout lacks something that the handout shows."""
