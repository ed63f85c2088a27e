"""nbgrader's configuration of this course directory: `nbgrader COMMAND --course-dir=notebooks` finds it."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821  (nbgrader puts it there)

c.CourseDirectory.course_id = "hw4"
# Masters, recorded data and checkpoints are no part of an assignment.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__"]
c.ClearSolutions.text_stub = "*Your answer: replace this line. At most 120 words.*"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # write your code here"}
# `--no-execute` is the rule: a student's outputs are read as they were handed in, and code earns its points elsewhere.
c.Autograde.execute = False
