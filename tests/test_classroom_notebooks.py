"""Filing notebooks for nbgrader: each damage is restored or reported by cell, and what a TA opens is inert."""

from __future__ import annotations

import base64
import copy
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import nbconvert
import nbformat
import pytest
from made_up_topic import assignment_with_topic
from nbconvert.filters.markdown import markdown2html

from autograder.classroom.exits import DONE
from autograder.classroom.hand_back import file_notebooks
from autograder.classroom.intake.entries import Entry, Person
from autograder.classroom.marks.written_answers import (
    ASSIGNMENT_ID,
    MAX_SOURCE,
    MAX_TEXT,
    Change,
    as_table,
    file_class,
    inert_markdown,
    restore,
)
from autograder.solutions import ROOT, reference_code
from hw4.handin.assignment import load_assignment
from publish.notebooks import COURSE

NOTEBOOKS = load_assignment().submission.notebooks
OPTIONAL = {Path(name).stem for name in load_assignment().optional_notebooks}  # absence is silent
REQUIRED = [name for name in NOTEBOOKS if Path(name).stem not in OPTIONAL]
REQUIRED = [name for name in NOTEBOOKS if name not in load_assignment().optional_notebooks]
RELEASES = COURSE / "release" / ASSIGNMENT_ID
DOT = base64.b64decode(  # one grey pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
HOSTILE = """<script>document.title = 'owned'</script>
<img src=x onerror="document.title = 'owned'"> [click](javascript:document.title='owned')
![pixel](https://example.org/pixel.png) [link]: javascript:alert(1)
$\\href{javascript:alert(1)}{x}$ <javascript:alert(1)> <svg onload=alert(1)>"""


@pytest.fixture(scope="module")
def release():
    return json.loads((RELEASES / NOTEBOOKS[0]).read_text(encoding="utf-8"))


@pytest.fixture
def handed_in(release):
    """The release with every answer written."""
    notebook = copy.deepcopy(release)
    for cell in answers_of(notebook):
        cell["source"] = [f"My answer to {cell['id']}.\n", "It has two lines."]
    return notebook


def answers_of(notebook):
    return [cell for cell in notebook["cells"] if "points" in cell["metadata"].get("nbgrader", {})]


def cell_of(notebook, name):
    (cell,) = (cell for cell in notebook["cells"] if cell["id"] == name)
    return cell


def text(cell):
    return "".join(cell["source"])


def restored(notebook, release):
    content = json.dumps(notebook).encode() if isinstance(notebook, dict) else notebook
    result = restore(content, release)
    nbformat.validate(nbformat.from_dict(result.notebook))
    assert [cell["id"] for cell in result.notebook["cells"] if not cell["id"].startswith("own-")] == [
        cell["id"] for cell in release["cells"]
    ]
    return result


@pytest.fixture
def question(release):
    return next(
        cell["id"]
        for cell, behind in zip(release["cells"], release["cells"][1:], strict=False)
        if "points" in behind["metadata"].get("nbgrader", {})
    )


@pytest.fixture
def answer(release):
    return answers_of(release)[0]["id"]


# Damages, one by one


def test_a_sound_notebook_is_filed_as_it_is(handed_in, release):
    result = restored(handed_in, release)
    assert result.changes == ()
    assert [text(c) for c in result.notebook["cells"]] == [text(c) for c in handed_in["cells"]]
    assert [c["metadata"] for c in result.notebook["cells"]] == [c["metadata"] for c in release["cells"]]


def test_a_deleted_answer_is_put_back_empty_and_the_others_stay(handed_in, release, answer):
    handed_in["cells"].remove(cell_of(handed_in, answer))
    result = restored(handed_in, release)
    assert result.changes == ((answer, "the answer was missing: restored empty"),)
    assert text(cell_of(result.notebook, answer)) == text(cell_of(release, answer))
    for other in answers_of(handed_in):
        assert text(cell_of(result.notebook, other["id"])) == text(other)


def test_a_deleted_given_cell_is_put_back_in_its_place(handed_in, release):
    handed_in["cells"] = [cell for cell in handed_in["cells"] if cell["id"] != "roll-out-check"]
    assert restored(handed_in, release).changes == (("roll-out-check", "was missing: restored"),)


def test_a_changed_test_cell_is_restored(handed_in, release):
    cell_of(handed_in, "roll-out-check")["source"] = ["print('all is well')"]
    result = restored(handed_in, release)
    assert result.changes == (("roll-out-check", "was changed, although students may not change it: restored"),)
    assert text(cell_of(result.notebook, "roll-out-check")) == text(cell_of(release, "roll-out-check"))


def test_a_changed_question_is_restored(handed_in, release, question):
    cell_of(handed_in, question)["source"] = ["Which colour is the sky? (100 points)"]
    result = restored(handed_in, release)
    assert text(cell_of(result.notebook, question)) == text(cell_of(release, question))


def test_what_is_said_of_help_reaches_the_graders(handed_in, release):
    said = "".join(cell_of(handed_in, "declaration")["source"]).replace(":", ": Kim, on the planner", 1)
    cell_of(handed_in, "declaration")["source"] = said
    result = restored(handed_in, release)
    assert result.changes == ()
    assert text(cell_of(result.notebook, "declaration")) == said


def test_changed_parameters_are_the_students_to_change(handed_in, release):
    cell_of(handed_in, "parameters")["source"] = ["USE_MY_CODE = True\n"]
    result = restored(handed_in, release)
    assert result.changes == ()
    assert text(cell_of(result.notebook, "parameters")) == "USE_MY_CODE = True\n"


@pytest.mark.parametrize("kernel", [{"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}, {}, None, 7])
def test_another_kernel_is_set_back(handed_in, release, kernel):
    handed_in["metadata"] = kernel
    result = restored(handed_in, release)
    assert result.changes == (("", "had another kernel or none: set to python3"),)
    assert result.notebook["metadata"] == release["metadata"]


@pytest.mark.parametrize(
    "change", [{"points": 100}, {"grade": False}, {"locked": True}, {"solution": False}, {"grade_id": "mine"}]
)
def test_edited_marks_are_restored(handed_in, release, answer, change):
    cell_of(handed_in, answer)["metadata"]["nbgrader"].update(change)
    result = restored(handed_in, release)
    assert result.changes == ((answer, "its metadata was changed: restored"),)
    assert cell_of(result.notebook, answer)["metadata"] == cell_of(release, answer)["metadata"]
    assert text(cell_of(result.notebook, answer)).startswith("My answer")


def test_lost_marks_are_found_by_the_cells_id(handed_in, release, answer):
    cell_of(handed_in, answer)["metadata"] = {}
    result = restored(handed_in, release)
    assert text(cell_of(result.notebook, answer)).startswith("My answer")


def test_an_answer_without_marks_and_id_is_found_behind_its_question(handed_in, release, answer):
    cell = cell_of(handed_in, answer)
    cell["metadata"], cell["id"] = {}, "3f2a77c1"
    result = restored(handed_in, release)
    assert text(cell_of(result.notebook, answer)).startswith("My answer")
    assert (answer, "had lost its metadata: the cell after the question was used instead") in result.changes


def test_an_answer_that_is_there_twice_loses_nothing(handed_in, release, answer):
    again = copy.deepcopy(cell_of(handed_in, answer))
    again["source"] = ["A second thought."]
    handed_in["cells"].append(again)
    result = restored(handed_in, release)
    assert result.changes == ((answer, "appeared 2 times: its 2 different answers were combined"),)
    assert text(cell_of(result.notebook, answer)).endswith("It has two lines.\n\nA second thought.")


def test_an_answer_turned_into_code_is_text_again(handed_in, release, answer):
    cell_of(handed_in, answer).update(cell_type="code", outputs=[], execution_count=1)
    result = restored(handed_in, release)
    assert result.changes == ((answer, "had another type: changed back to a markdown cell"),)
    assert text(cell_of(result.notebook, answer)).startswith("My answer")


def test_an_own_cell_stays_where_it_was(handed_in, release):
    place = [cell["id"] for cell in handed_in["cells"]].index("parameters")
    own = {
        "cell_type": "code",
        "id": "x" * 40,
        "metadata": {"tags": ['"><script>']},
        "source": "print(1)",
        "outputs": [],
    }
    handed_in["cells"].insert(place + 1, own)
    result = restored(handed_in, release)
    cell = result.notebook["cells"][place + 1]
    assert (cell["id"], cell["metadata"], cell["source"]) == ("own-parameters-1", {}, "print(1)")
    assert result.changes == ()


def test_huge_outputs_are_bounded(handed_in, release):
    picture = base64.b64encode(DOT).decode()
    cell_of(handed_in, "roll-out-check")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "x" * 5_000_000},
        *[{"output_type": "display_data", "metadata": {}, "data": {"image/png": picture}} for _ in range(30)],
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * 2_000_000}},
    ]
    result = restored(handed_in, release)
    (change,) = result.changes
    assert change[0] == "roll-out-check"
    assert "more than 20000 characters of text" in change[1]
    assert "more than 10 pictures" in change[1]
    outputs = cell_of(result.notebook, "roll-out-check")["outputs"]
    assert len(outputs) == 11
    assert len(outputs[0]["text"]) == MAX_TEXT


def test_a_huge_answer_is_cut_and_says_so(handed_in, release, answer):
    cell_of(handed_in, answer)["source"] = "word " * 1_000_000
    result = restored(handed_in, release)
    assert len(text(cell_of(result.notebook, answer))) == MAX_SOURCE
    assert result.changes == ((answer, f"its text was cut at {MAX_SOURCE} characters of 5000000"),)


@pytest.mark.parametrize("mime", ["text/html", "application/javascript", "text/latex", "text/markdown"])
def test_a_rich_output_is_left_out_and_its_plain_text_kept(handed_in, release, mime):
    data = {mime: HOSTILE, "text/plain": "<Figure>"}
    cell_of(handed_in, "roll-out-check")["outputs"] = [{"output_type": "execute_result", "metadata": {}, "data": data}]
    result = restored(handed_in, release)
    assert result.changes == (("roll-out-check", "some of its outputs were removed: a rich output"),)
    (output,) = cell_of(result.notebook, "roll-out-check")["outputs"]
    assert output == {"output_type": "stream", "name": "stdout", "text": "<Figure>"}


def test_a_table_whose_text_is_kept_is_no_change(handed_in, release):
    data = {"text/html": "<table><tr><td>3</td></tr></table>", "text/plain": "return\n3"}
    cell_of(handed_in, "roll-out-check")["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    result = restored(handed_in, release)
    assert result.changes == ()
    (output,) = cell_of(result.notebook, "roll-out-check")["outputs"]
    assert output == {"output_type": "stream", "name": "stdout", "text": "return\n3"}


def test_a_given_text_that_folds_a_paragraph_stays_and_a_changed_one_is_made_inert(handed_in, release):
    assert "<details>" in text(cell_of(restored(handed_in, release).notebook, "how-to"))
    cell_of(handed_in, "how-to")["source"] = ["<details>mine</details>"]
    result = restored(handed_in, release)
    assert result.changes == (("how-to", "HTML, links or control characters in its text were disabled"),)
    assert "<details>" not in text(cell_of(result.notebook, "how-to"))


def test_a_picture_that_is_markup_is_left_out_and_a_picture_stays(handed_in, release):
    pictures = ['"><script>alert(1)</script>', base64.b64encode(b"<svg onload=alert(1)>").decode()]
    good = base64.b64encode(DOT).decode()
    cell_of(handed_in, "roll-out-check")["outputs"] = [
        {"output_type": "display_data", "metadata": {"image/png": {"width": '"><script>'}}, "data": {"image/png": p}}
        for p in (*pictures, good)
    ]
    result = restored(handed_in, release)
    assert cell_of(result.notebook, "roll-out-check")["outputs"] == [
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": good}}
    ]


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9"><script>document.title = 1</script><rect onload="x()"/></svg>'
MATPLOTLIBS = f'<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x" "http://www.w3.org/x.dtd" [<!ENTITY a "b">]>\n{SVG}\n'
KINDS = {  # mime -> content, as base64
    "image/png": base64.b64encode(DOT).decode(),
    "image/jpeg": base64.b64encode(b"\xff\xd8\xff\xe0 a photograph").decode(),
    "image/gif": base64.b64encode(b"GIF89a ...").decode(),
    "image/webp": base64.b64encode(b"RIFF1234WEBP...").decode(),
    "image/svg+xml": base64.b64encode(SVG.encode()).decode(),
}


def page_of(notebook):
    """As a TA and a student see it."""
    page, _ = nbconvert.HTMLExporter().from_notebook_node(nbformat.reads(json.dumps(notebook), as_version=4))
    return page


@pytest.mark.parametrize("mime", KINDS)
def test_a_picture_that_was_pasted_into_an_answer_reaches_the_reader(handed_in, release, answer, mime):
    cell = cell_of(handed_in, answer)
    cell["source"] = ["See this:\n", '![my plot](attachment:image%20(1).png "a title") and more.']
    cell["attachments"] = {"image (1).png": {mime: KINDS[mime]}}
    result = restored(handed_in, release)
    assert result.changes == ()
    (name,) = cell_of(result.notebook, answer)["attachments"]
    assert text(cell_of(result.notebook, answer)) == f"See this:\n![{name}](attachment:{name}) and more."
    assert f'src="data:{mime};base64,{KINDS[mime]}"' in page_of(result.notebook)


@pytest.mark.parametrize(
    "source",
    [
        f"![x](data:image/svg+xml;base64,{KINDS['image/svg+xml']})",
        f"<img alt='x' src='data:image/svg+xml;base64,{KINDS['image/svg+xml']}' width=3>",
        f"before {SVG} after",
        SVG.replace(' xmlns="http://www.w3.org/2000/svg"', ""),
    ],
)
def test_a_picture_that_is_written_into_an_answer_is_drawn_and_runs_nothing(handed_in, release, answer, source):
    cell_of(handed_in, answer)["source"] = f"Look: {source} {HOSTILE}"
    result = restored(handed_in, release)
    (bundle,) = cell_of(result.notebook, answer)["attachments"].values()
    assert b"<rect" in base64.b64decode(bundle["image/svg+xml"])
    page = page_of(result.notebook)
    assert f'src="data:image/svg+xml;base64,{bundle["image/svg+xml"]}"' in page
    assert "<svg onload" not in page
    assert "<rect" not in page
    assert "document.title = 1" not in page


def test_an_own_cell_and_each_version_of_an_answer_keep_their_pictures(handed_in, release, answer):
    """Jupyter calls every pasted picture image.png."""
    own = {"cell_type": "markdown", "id": "own", "metadata": {}, "source": "![a](attachment:image.png)"}
    own["attachments"] = {"image.png": {"image/gif": KINDS["image/gif"]}}
    cell = cell_of(handed_in, answer)
    again = copy.deepcopy(cell)
    cell |= {"source": "![a](attachment:image.png)", "attachments": {"image.png": {"image/png": KINDS["image/png"]}}}
    again |= {"source": "Or ![a](attachment:image.png)"}
    again["attachments"] = {"image.png": {"image/jpeg": KINDS["image/jpeg"]}}
    handed_in["cells"] += [again, own]
    page = page_of(restored(handed_in, release).notebook)
    for mime in ("image/png", "image/jpeg", "image/gif"):
        assert f'src="data:{mime};base64,{KINDS[mime]}"' in page


@pytest.mark.parametrize("drawing", [SVG, MATPLOTLIBS, [line + "\n" for line in MATPLOTLIBS.split("\n")]])
@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html"])
def test_a_drawing_in_an_output_is_drawn_and_runs_nothing(handed_in, release, drawing, mime):
    data = {mime: drawing, "text/plain": "<Figure>"}
    cell_of(handed_in, "roll-out-check")["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    result = restored(handed_in, release)
    assert (result.changes == ()) == (mime == "image/svg+xml")
    (output,) = cell_of(result.notebook, "roll-out-check")["outputs"]
    shown = output["data"]["text/html"]
    assert re.fullmatch(r'<img alt="picture" src="data:image/svg\+xml;base64,[A-Za-z0-9+/=]+">', shown)
    assert base64.b64decode(shown.partition("base64,")[2][:-2]).startswith(b"<svg")
    assert shown.partition("src=")[2][:-1] in page_of(result.notebook)


@pytest.mark.parametrize(
    ("content", "bundle"),
    [
        ("![x](attachment:gone.png)", {}),
        ("![x](attachment:a.png)", {"a.png": {"image/png": "no base64"}}),
        ("![x](attachment:a.png)", {"a.png": {"text/html": "<script>"}}),
        ("![x](attachment:a.png)", {"a.png": {"image/png": base64.b64encode(b"<script>alert(1)</script>").decode()}}),
        ("![x](attachment:a.svg)", {"a.svg": {"image/svg+xml": "<svg><rect>"}}),
        ("![x](data:text/html;base64,PHNjcmlwdD4=)", {}),
        ("![x](data:image/png;base64,PHNjcmlwdD4=)", {}),
    ],
)
def test_a_picture_that_is_none_is_not_shown_and_the_ta_hears_of_it(handed_in, release, answer, content, bundle):
    cell_of(handed_in, answer).update(source=content, attachments=bundle)
    result = restored(handed_in, release)
    assert "attachments" not in cell_of(result.notebook, answer)
    assert [cell for cell, _ in result.changes] == [answer] * len(result.changes)
    assert result.changes
    page_of(result.notebook)


@pytest.mark.parametrize("part", ["<svg", "<img src='", "![x](data:image/", "![", "<img ", "<svg></svg"])
def test_ten_megabytes_of_beginnings_of_pictures_take_no_time(handed_in, release, answer, part):
    cell_of(handed_in, answer)["source"] = part * (10_000_000 // len(part))
    start = time.monotonic()
    restored(handed_in, release)
    assert time.monotonic() - start < 10


def test_a_notebook_that_cannot_be_read_is_filed_empty_and_its_original_named(tmp_path):
    course = tmp_path / "notebooks"
    shutil.copytree(RELEASES, course / "release" / ASSIGNMENT_ID)
    large, broken, *_ = REQUIRED
    files = {**reference_code(), f"notebooks/{large}": bytes(10_000_001), f"notebooks/{broken}": b"{"}
    path = tmp_path / "ada.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    changes = [str(change) for change in file_class([Entry("ada", (Person("ada"),), path)], course)]
    assert f"ada: {large}: unreadable (it is larger than 10,000,000 bytes): filed as an empty notebook" in changes
    for name in (large, broken):
        assert f"ada: {name}: look at the original: notebooks/{name} in {path}" in changes


def test_a_traceback_is_kept_as_text(handed_in, release):
    error = {"output_type": "error", "ename": "E", "evalue": "<b>", "traceback": ["line 1", "\x1b[31mKeyError\x1b[0m"]}
    cell_of(handed_in, "roll-out-check")["outputs"] = [error]
    (output,) = cell_of(restored(handed_in, release).notebook, "roll-out-check")["outputs"]
    assert (output["name"], output["text"]) == ("stderr", "line 1\n\x1b[31mKeyError\x1b[0m")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"not JSON",
        b"[]",
        b"null",
        b'{"cells": {}}',
        b'{"worksheets": []}',
        b"[" * 100_000,
        b'{"cells": [' + b"9" * 10_000 + b"]}",
    ],
)
def test_what_is_no_notebook_is_filed_empty_and_reported(release, content):
    result = restore(content, release)
    assert result.notebook == release
    ((cell, what),) = result.changes
    assert cell == ""
    assert what.startswith("unreadable (")
    assert what.endswith("filed as an empty notebook, look at it")


@pytest.mark.parametrize(
    "cell",
    [
        None,
        7,
        "text",
        {},
        {"metadata": 7},
        {"metadata": {"nbgrader": []}, "source": 3, "cell_type": "nonsense", "outputs": 5},
        {"metadata": {"nbgrader": {"grade_id": ["a"]}}, "id": {}, "source": ["a", 1, None], "cell_type": "code"},
        {"cell_type": "code", "metadata": {}, "source": "\x00\ud800", "outputs": [None, 3, {"output_type": "stream"}]},
        {"cell_type": "code", "metadata": {}, "source": "", "outputs": [{"output_type": "error", "traceback": {}}]},
        {"cell_type": "markdown", "metadata": {}, "source": "", "attachments": {"a.svg": {"image/svg+xml": "<svg>"}}},
    ],
)
def test_a_cell_of_any_shape_leaves_the_answers_alone(handed_in, release, cell):
    answers = answers_of(handed_in)
    handed_in["cells"].insert(3, cell)
    result = restored(handed_in, release)
    json.dumps(result.notebook, ensure_ascii=False).encode("utf-8")
    for answer in answers:
        assert text(cell_of(result.notebook, answer["id"])) == text(answer)


def test_a_missing_notebook_is_filed_empty_and_reported(release):
    result = restore(None, release)
    assert result.notebook == release
    assert result.changes == (("", "not handed in: filed as an empty notebook"),)


@pytest.mark.parametrize("words", ["a < b and b > c", "$x_t < 3$", "`a[0]`", "2 <3", "**bold** (x) [1]"])
def test_ordinary_words_stay_as_they_are(words):
    assert inert_markdown(words) == words


@pytest.mark.parametrize(
    "text", ["see https://example.org/x", "HTTP://a.example", "`ftp://a.example`", "www.a.example"]
)
def test_a_bare_address_is_shown_and_is_no_link(text):
    page = markdown2html(inert_markdown(text))
    assert "<a" not in page
    assert text.strip("`").lower() in page.replace("\N{ZERO WIDTH SPACE}", "").lower()


def test_a_table_of_changes_holds_no_formula():
    change = Change("s1", "n.ipynb", "a", "=HYPERLINK(1)")
    assert as_table([change])[1] == ["s1", "n.ipynb", "a", "'=HYPERLINK(1)"]
    assert str(change) == "s1: n.ipynb: a: =HYPERLINK(1)"


def test_the_command_files_a_folder_and_writes_what_was_mended(tmp_path, capsys):
    course = tmp_path / "notebooks"
    shutil.copytree(RELEASES, course / "release" / ASSIGNMENT_ID)
    submissions = tmp_path / "submissions"
    submissions.mkdir()
    hand_in(tmp_path / "ada", answered()).rename(submissions / "ada.zip")
    hand_in(tmp_path / "bob", {}).rename(submissions / "bob.zip")
    assert file_notebooks(submissions, course=course, table=tmp_path / "restored.csv") == DONE
    assert f"bob: {NOTEBOOKS[0]}: not handed in: filed as an empty notebook\n" in capsys.readouterr().out
    with (tmp_path / "restored.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["student"] for row in csv.DictReader(file)} == {"bob"}
    filed = {path.relative_to(course / "submitted").as_posix() for path in (course / "submitted").rglob("*.ipynb")}
    assert filed == {f"ada/{ASSIGNMENT_ID}/{name}" for name in NOTEBOOKS} | {
        f"bob/{ASSIGNMENT_ID}/{name}" for name in REQUIRED
    }


def test_an_optional_notebook_is_filed_if_it_is_there_and_nothing_is_said_if_not(tmp_path, release):
    assignment = assignment_with_topic(tmp_path)
    course = tmp_path / "notebooks"
    shutil.copytree(RELEASES, course / "release" / ASSIGNMENT_ID)
    (course / "release" / ASSIGNMENT_ID / "daydream.ipynb").write_text(json.dumps(release))
    for name, notebooks in (("ada", answered()), ("bob", {**answered(), "daydream.ipynb": release})):
        entry = Entry(name, (Person(name),), hand_in(tmp_path / name, notebooks))
        assert file_class([entry], course, assignment) == ()
        filed = {path.name for path in (course / "submitted" / name / ASSIGNMENT_ID).iterdir()}
        assert filed - {*NOTEBOOKS} == ({"daydream.ipynb"} if name == "bob" else set())


# nbgrader for real


def nbgrader(*arguments, folder):
    """Run nbgrader as a TA does, in the project's environment: it starts `alembic` by name."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    course = folder / "notebooks"
    result = subprocess.run(["nbgrader", *arguments], cwd=course, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result


def answered():
    """Every notebook with every answer written."""
    notebooks = {}
    for name in NOTEBOOKS:
        notebooks[name] = json.loads((RELEASES / name).read_text(encoding="utf-8"))
        for cell in answers_of(notebooks[name]):
            cell["source"] = f"My answer to {cell['id']}."
    return notebooks


def hostile():
    notebooks = answered()
    for notebook in notebooks.values():
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = [
                    {"output_type": "display_data", "metadata": {}, "data": {"text/html": HOSTILE}},
                    {"output_type": "stream", "name": "stdout", "text": HOSTILE},
                ]
                if "nbgrader" not in cell["metadata"]:
                    cell["source"] = "open('executed.txt', 'w').write('executed')"
        for cell in answers_of(notebook):
            cell["source"] = HOSTILE
    return notebooks


def damaged():
    notebooks = answered()
    first = notebooks[NOTEBOOKS[0]]
    gone = answers_of(first)[0]
    first["cells"].remove(gone)
    first["metadata"] = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
    for cell in first["cells"]:
        if cell["id"] == "roll-out-check":
            cell["source"] = "pass"
    return notebooks


def hand_in(folder, notebooks):
    path = folder / "hw4_submission.zip"
    folder.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in reference_code().items():
            archive.writestr(name, content)
        for name, notebook in notebooks.items():
            archive.writestr(name, notebook if isinstance(notebook, bytes) else json.dumps(notebook))
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course whose class of five has handed in and was autograded."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(
        COURSE,
        folder / "notebooks",
        ignore=shutil.ignore_patterns("release", "data", "masters", "recorders", "gradebook.db"),
    )
    nbgrader("generate_assignment", ASSIGNMENT_ID, folder=folder)
    (folder / "torn").mkdir()
    (folder / "torn" / "hw4_submission.zip").write_bytes(b"PK\x03\x04 torn")
    submissions = {
        "ada": hand_in(folder / "ada", answered()),
        "damaged": hand_in(folder / "damaged", damaged()),
        "hostile": hand_in(folder / "hostile", hostile()),
        "no_json": hand_in(folder / "no_json", {**answered(), NOTEBOOKS[0]: b"no notebook"}),
        "missing": hand_in(folder / "missing", {}),
        "torn": folder / "torn" / "hw4_submission.zip",
        "../outside": folder / "ada" / "hw4_submission.zip",
    }
    entries = [Entry(student, (Person(student),), path) for student, path in submissions.items()]
    changes = file_class(entries, folder / "notebooks")
    nbgrader("autograde", ASSIGNMENT_ID, "--no-execute", folder=folder)
    return folder, changes


def test_filing_reports_by_cell_and_leaves_the_sound_alone(graded):
    _, changes = graded
    first = answers_of(answered()[NOTEBOOKS[0]])[0]["id"]
    by_student = {}
    for change in changes:
        by_student.setdefault(change.student, []).append(change)
    assert "ada" not in by_student
    assert Change("damaged", NOTEBOOKS[0], first, "the answer was missing: restored empty") in changes
    assert Change("damaged", NOTEBOOKS[0], "", "had another kernel or none: set to python3") in changes
    assert {(c.notebook, c.cell) for c in by_student["no_json"]} == {(NOTEBOOKS[0], "")}
    assert [c.notebook for c in by_student["missing"]] == REQUIRED
    assert [c.what.partition(":")[0] for c in by_student["torn"]] == ["not filed"]
    assert [c.what.partition(":")[0] for c in by_student["'../outside'"]] == ["not filed"]


def test_answers_wait_for_a_person_and_nothing_was_executed(graded):
    from nbgrader.api import Gradebook

    folder, _ = graded
    with Gradebook(f"sqlite:///{folder / 'notebooks' / 'gradebook.db'}") as gradebook:
        waiting = {
            student.id: {
                grade.name
                for notebook in gradebook.find_submission(ASSIGNMENT_ID, student.id).notebooks
                for grade in notebook.grades
                if grade.needs_manual_grade
            }
            for student in gradebook.students
        }
    everything = {cell["id"] for notebook in answered().values() for cell in answers_of(notebook)}
    of_first = {cell["id"] for cell in answers_of(answered()[NOTEBOOKS[0]])}
    first = answers_of(answered()[NOTEBOOKS[0]])[0]["id"]
    assert waiting == {
        "ada": everything,
        "damaged": everything - {first},
        "hostile": everything,
        "no_json": everything - of_first,
        "missing": set(),
    }
    assert list(folder.rglob("executed.txt")) == []


def test_without_the_option_nothing_is_executed_either(graded):
    folder, _ = graded
    nbgrader("autograde", ASSIGNMENT_ID, "--student=hostile", "--force", folder=folder)
    assert list(folder.rglob("executed.txt")) == []


@pytest.mark.verify  # nbgrader is started often
def test_two_graders_at_once_lose_no_score_and_everyone_gets_feedback(graded):
    from nbgrader.api import Gradebook

    folder, _ = graded
    url = f"sqlite:///{folder / 'notebooks' / 'gradebook.db'}"
    failures = []

    def grade(students):
        """One grader, with a connection of their own."""
        try:
            for student in students:
                with Gradebook(url) as gradebook:
                    for notebook in gradebook.find_submission(ASSIGNMENT_ID, student).notebooks:
                        for mark in notebook.grades:
                            if mark.needs_manual_grade:
                                mark.manual_score = 3
                                mark.needs_manual_grade = False
                                gradebook.db.commit()
        except Exception as error:
            failures.append(error)

    graders = [threading.Thread(target=grade, args=(part,)) for part in (("ada", "damaged"), ("hostile", "no_json"))]
    for grader in graders:
        grader.start()
    for grader in graders:
        grader.join()
    assert failures == []

    nbgrader("generate_feedback", ASSIGNMENT_ID, folder=folder)
    for student in ("ada", "damaged", "hostile", "no_json", "missing"):
        pages = {path.stem for path in (folder / "notebooks" / "feedback" / student / ASSIGNMENT_ID).glob("*.html")}
        assert pages == {Path(name).stem for name in (REQUIRED if student == "missing" else NOTEBOOKS)}
    for name in NOTEBOOKS:
        page = folder / "notebooks" / "feedback" / "hostile" / ASSIGNMENT_ID / f"{Path(name).stem}.html"
        expect_inert(page.read_text(encoding="utf-8"))

    nbgrader("export", folder=folder)
    with (folder / "notebooks" / "grades.csv").open(encoding="utf-8", newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    num_answers = sum(len(answers_of(notebook)) for notebook in answered().values())
    of_first = len(answers_of(answered()[NOTEBOOKS[0]]))
    assert scores == {
        "ada": 3 * num_answers,
        "damaged": 3 * (num_answers - 1),
        "hostile": 3 * num_answers,
        "no_json": 3 * (num_answers - of_first),
        "missing": 0,
    }


def expect_inert(page):
    """Nothing of HOSTILE is markup on the page."""
    assert "owned" in page  # it is shown
    page = re.sub(
        r"(?s)<pre.*?</pre>", lambda block: block[0].replace("\\href", ""), page
    )  # MathJax leaves these alone
    for live in (
        r"<script>document",
        r"<img[^>]*onerror",
        r"<svg[^>]*onload",
        r"""(href|src)=["']?\s*javascript""",
        r"""src=["']https://example.org""",
        r"\\href\{",
    ):
        assert not re.search(live, page), live


# formgrader, as two servers on one gradebook


class Formgrader:
    """A Jupyter server with formgrader, and what a grader's browser asks of it."""

    TOKEN = "only-for-this-test"

    def __init__(self, course: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        options = ("--no-browser", "--allow-root", f"--port={self.port}", f"--IdentityProvider.token={self.TOKEN}")
        self.server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "server", *options],
            cwd=course,
            env={**os.environ, "PATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, path: str, body: dict[str, object] | None = None) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/formgrader/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.TOKEN}"},
            method="GET" if body is None else "PUT",
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def wait(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.ask("api/status")
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def submissions(self, notebook: str) -> dict[str, str]:
        found = json.loads(self.ask(f"api/submitted_notebooks/{ASSIGNMENT_ID}/{notebook}"))
        return {entry["student"]: entry["id"] for entry in found}


@pytest.mark.verify
def test_graders_at_two_formgraders_lose_no_score_and_see_nothing_live(graded):
    folder, _ = graded
    servers = [Formgrader(folder / "notebooks") for _ in range(2)]
    failures = []

    def grade(server, student, score):
        try:
            for name in NOTEBOOKS:
                submission = server.submissions(Path(name).stem)[student]
                for mark in json.loads(server.ask(f"api/grades?submission_id={submission}")):
                    server.ask(f"api/grade/{mark['id']}", {"manual_score": score, "extra_credit": None})
                for comment in json.loads(server.ask(f"api/comments?submission_id={submission}")):
                    server.ask(f"api/comment/{comment['id']}", {"manual_comment": f"{student}: see the rubric"})
        except Exception as error:
            failures.append(error)

    wanted = {"ada": 4, "damaged": 3, "hostile": 2, "no_json": 1}
    try:
        for server in servers:
            server.wait()
        graders = [
            threading.Thread(target=grade, args=(servers[i % 2], student, score))
            for i, (student, score) in enumerate(wanted.items())
        ]
        for grader in graders:
            grader.start()
        for grader in graders:
            grader.join()
        assert failures == []
        for name in NOTEBOOKS:
            submission = servers[0].submissions(Path(name).stem)["hostile"]
            expect_inert(servers[0].ask(f"submissions/{submission}/"))
    finally:
        for server in servers:
            server.server.terminate()
            server.server.wait()

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'notebooks' / 'gradebook.db'}") as gradebook:
        for student, score in wanted.items():
            for notebook in gradebook.find_submission(ASSIGNMENT_ID, student).notebooks:
                assert {grade.manual_score for grade in notebook.grades} <= {score}
                assert {comment.manual_comment for comment in notebook.comments} == {f"{student}: see the rubric"}
