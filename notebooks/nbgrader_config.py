"""nbgrader's configuration of this course directory: `nbgrader COMMAND --course-dir=notebooks` finds it."""

from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    DeduplicateIds,
    IgnorePattern,
    LimitOutput,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)

c = get_config()  # type: ignore[name-defined]  # noqa: F821  (nbgrader puts it there)

c.CourseDirectory.course_id = "hw4"
# Masters, recorded data and checkpoints are no part of an assignment.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__"]
c.ClearSolutions.text_stub = "*Your answer: replace this line.*"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # write your code here"}
# A student's outputs are read as they were handed in, and nothing of a student's is executed: code earns its points
# elsewhere. `autograde --no-execute` says so; without these two lines formgrader's own button would execute.
c.Autograde.sanitize_preprocessors = [DeduplicateIds, OverwriteKernelspec, OverwriteCells, CheckCellMetadata]
c.Autograde.autograde_preprocessors = [
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
