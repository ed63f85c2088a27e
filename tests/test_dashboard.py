"""The page of a class, with 300 made-up students, as a reader has it: in a browser, from a disk."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from class_samples import measured, with_a_topic

from autograder.classroom.intake.entries import Person
from autograder.classroom.marks.changes import Change
from autograder.classroom.marks.class_pictures import bins_of, histogram
from autograder.classroom.marks.dashboard import dashboard, items_of
from autograder.classroom.marks.standing import Class, Result, result_of
from autograder.classroom.marks.to_look_at import flags_of, queue_of
from autograder.grading.curves import load_bars
from autograder.hidden_tests.graded import DECLARED
from autograder.report.page import page as report_page
from hw4.handin.assignment import Assignment, load_assignment

__all__ = ["with_a_topic"]  # a fixture
ASSIGNMENT = load_assignment()
SCHEMES = ["light", pytest.param("dark", marks=pytest.mark.verify)]
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>"\'&'
INTAKE: dict[str, Any] = dict.fromkeys(("missing", "ignored", "syntax_errors", "forbidden_imports", "notes"), ())
INTAKE["hashes"] = dict.fromkeys(load_assignment().submission.code, "hash")


def result(
    number: int, measurement: dict[str, Any] | None, *, name: str = "", intake: dict[str, Any] = INTAKE, **facts: Any
) -> Result:
    student = f"s{number:03}"
    common = {
        "student": student,
        "people": (Person(f"{1000 + number}", name or f"Student {number}", f"{student}@example.org"),),
        "group": f"group {number % 40}" if number % 3 == 0 else "",
        "late": number % 29 == 0,
        "on_roster": number != 7,
        "submitted": None if number == 29 else ASSIGNMENT.course.due + timedelta(hours=-5 if number % 29 else 30),
    }
    changes = [Change("2027-03-20T10:00:00+00:00", "ta", "points", "s010", "cem_refit", 1.0, HOSTILE)]
    if measurement is None:
        return Result(**common, **facts)
    return result_of({"intake": intake, "measured": measurement}, common, changes)


def made_up_class(size: int = 300) -> Class:
    """Abilities differ; who fails what, and every kind of flag, follow from a fixed seed."""
    rng = np.random.default_rng(3)
    names = list(DECLARED)
    hardness = rng.uniform(0.0, 0.35, len(names))
    results = [
        result(0, measured(), name=HOSTILE),
        result(1, None, status="refused", message=f"hw4.rar: this is {HOSTILE}"),
        result(2, None, status="missing"),
        result(3, measured(faulty=names[:1], message=HOSTILE)),
    ]
    for number in range(len(results), size):
        ability = float(rng.beta(4, 1.5))
        failed = [n for n, hard in zip(names, hardness, strict=True) if rng.random() < hard * 2 * (1 - ability)]
        cut = "too_slow" if number % 70 == 5 else ""
        answer = measured(
            failed=failed, skill=1.6 * ability, spread=0.15, seed=number, cut=cut, message=HOSTILE,
            cause=str(rng.choice(["wrong_value", "wrong_shape", "raised"])),
        )  # fmt: skip
        if number % 90 == 6:
            answer["integrity"][ASSIGNMENT.curves[0].id] |= {"broken": "replans", "message": HOSTILE}
        results.append(result(number, answer))
    return Class(tuple(results), True, None, ())


@pytest.fixture(scope="module")
def found() -> Class:
    return made_up_class()


@pytest.fixture(scope="module")
def folder(found: Class, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("class")
    (folder / "index.html").write_text(dashboard(found), encoding="utf-8")
    place = folder / "students" / "s000"
    place.mkdir(parents=True)
    (place / "report.html").write_text("<!DOCTYPE html><title>report of s000</title>")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no browser is installed: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page(browser: Any, folder: Path) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto((folder / "index.html").as_uri())
    yield page
    page.close()


def names_shown(page: Any) -> list[str]:
    shown: list[str] = page.eval_on_selector_all(
        "#students tbody tr:not([hidden])", "rows => rows.map(row => row.cells[1].textContent.trim())"
    )
    return shown


# What the page says ---------------------------------------------------------------------------------------------------


def test_every_kind_of_trouble_is_in_the_queue_most_urgent_first(found: Class) -> None:
    flags = list(flags_of(found))
    kinds = list(dict.fromkeys(flag.kind for flag in flags))
    assert kinds == [
        *("grader fault", "refused", "integrity", "agent", "time", "late, but when?", "borderline"),
        *("nothing handed in", "not on the roster", "staff"),
    ]
    by_kind = {kind: {flag.result.student for flag in flags if flag.kind == kind} for kind in kinds}
    assert (by_kind["grader fault"], by_kind["refused"], by_kind["nothing handed in"]) == ({"s003"}, {"s001"}, {"s002"})
    assert (by_kind["not on the roster"], by_kind["staff"]) == ({"s007"}, {"s010"})
    assert by_kind["late, but when?"] == {"s029"}
    queue, flags = queue_of(flags), [flag for flag in flags if flag.kind != "staff"]
    assert [(kind, r.student) for kind, r, _ in queue] == list(dict.fromkeys((f.kind, f.result.student) for f in flags))
    assert [text for _, _, texts in queue for text in texts] == [
        flag.text for flag in sorted(flags, key=lambda flag: kinds.index(flag.kind))
    ]


def test_failures_and_their_causes_are_counted(found: Class) -> None:
    rows = {row.name: row for row in items_of(found, ASSIGNMENT.items)}
    row = rows["refit_to_elites"]
    reports = [r.grade.report for r in found.results if r.grade]
    failed = [s for r in reports for s in r.stubs if s.id == "cem_refit" and s.verdict != "passed"]
    assert (row.num_failed, row.num_graded) == (len(failed), 298)
    assert sum(count for _, _, count in row.causes) == len(failed)
    assert {cause for cause, _, _ in row.causes} <= {"wrong_value", "wrong_shape", "raised"}


def test_every_score_falls_into_one_bin() -> None:
    bins = bins_of([0, 4.99, 5, 79.99, 80], 80)
    assert [count for _, _, count in bins] == [2, 1, *[0] * 13, 2]
    assert bins[-1][:2] == (75, 80)


def test_points_above_the_maximum_have_bins_of_their_own() -> None:
    bins = bins_of([80, 84, 90], 80)
    assert bins[-3:] == [(75, 80, 0), (80, 85, 2), (85, 90, 1)]
    assert "stroke-dasharray" in histogram(bins, 80, "points")  # where the maximum is
    assert "stroke-dasharray" not in histogram(bins_of([80], 80), 80, "points")


def test_the_same_class_gives_the_same_page_and_its_pictures_say_what_they_show(found: Class) -> None:
    page = dashboard(found)
    assert dashboard(found) == page
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert len(labels) == len(ASSIGNMENT.curves)
    for label, curve in zip(labels, ASSIGNMENT.curves, strict=True):
        assert f"bar {load_bars()[curve.id].bar:g}" in label
    assert page.count("<svg") == page.count("<svg role=") + page.count("<svg aria-hidden=")


def test_the_page_is_self_contained_and_its_policy_allows_nothing_else(folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "unsafe" not in text.partition("</head>")[0]
    assert not re.search(r"\b(src|href)=\"(https?:)?//", text)
    assert not re.search(r"<[^>]+\sstyle=", text)
    assert HOSTILE not in text


# In a browser ---------------------------------------------------------------------------------------------------------


def test_the_page_opens_from_a_disk_without_a_word_on_the_console_and_student_text_is_inert(page: Any) -> None:
    assert page.said == []
    assert page.title() == f"{ASSIGNMENT.course.title}: the class"
    assert len(names_shown(page)) == 300
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator("#students tbody tr").first.inner_text()


def test_search_and_filters_narrow_the_list(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("1042 stu")
    assert names_shown(page) == ["1042"]
    assert page.locator("#shown").inner_text() == "1 of 300 shown"
    page.locator("#search").fill("")
    page.locator("#status").select_option("refused")
    assert names_shown(page) == ["1001"]
    page.locator("#status").select_option("")
    page.locator("#flag").select_option("staff")
    assert names_shown(page) == ["1010"]
    page.locator("#flag").select_option("")
    page.locator("#kind").select_option("refused")
    assert page.locator("#queue tbody tr:visible").count() == 1
    page.locator("#kind").select_option("")


def test_a_click_on_a_header_sorts_and_another_sorts_the_other_way(page: Any, found: Class) -> None:
    header = page.locator("#students thead th", has_text="points")
    scores = {r.people[0].id: r.score for r in found.results}
    for direction in ("descending", "ascending"):
        header.locator("button").click()
        assert header.get_attribute("aria-sort") == direction
        sorted_scores = [scores[name] for name in names_shown(page)]
        known = [score for score in sorted_scores if score is not None]
        assert sorted_scores[: len(known)] == sorted(known, reverse=direction == "descending")
    page.locator("#students thead th", has_text="name").locator("button").click()


def test_the_keyboard_alone_leads_to_a_student(page: Any, folder: Path) -> None:
    page.locator("#search").fill("")
    page.locator("h1").click()  # the focus is nowhere
    page.keyboard.press("/")
    page.keyboard.type("1000")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/students/s000/report.html")
    assert page.title() == "report of s000"
    page.go_back()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_to_complain_of(browser: Any, found: Class, tmp_path: Path, scheme: str) -> None:
    """Forty of the students: every kind of row is among them, and axe takes its time over each."""
    from axe_playwright_python.sync_playwright import Axe

    some = dataclasses.replace(found, results=found.results[:40])
    (tmp_path / "index.html").write_text(dashboard(some), encoding="utf-8")
    context = browser.new_context(bypass_csp=True, color_scheme=scheme)  # the page's policy keeps axe out, too
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto((tmp_path / "index.html").as_uri())
    report = Axe().run(opened)
    context.close()
    assert report.violations_count == 0, report.generate_report()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_topic_filters_the_list_and_its_bonus_sorts(
    browser: Any, tmp_path: Path, with_a_topic: Assignment, width: int
) -> None:
    some = [result(number, measured(skill=0.5 + number / 20)) for number in range(1, 9)]
    without = {**INTAKE, "hashes": dict.fromkeys(with_a_topic.required_code, "hash")}
    some[2:] = [result(number, measured(), intake=without) for number in range(3, 9)]
    (tmp_path / "index.html").write_text(dashboard(Class(tuple(some), True, None, ())), encoding="utf-8")
    opened = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.goto((tmp_path / "index.html").as_uri())
    opened.locator("#topic").select_option("T1")
    assert names_shown(opened) == ["1001", "1002"]
    opened.locator("#topic").select_option("")
    opened.locator("#students thead th", has_text="bonus").locator("button").click()
    assert sorted(names_shown(opened)[:2]) == ["1001", "1002"]
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    opened.close()


def test_lateness_stands_beside_the_points(page: Any, found: Class) -> None:
    """s058 came 30 hours late: after 15 minutes of grace, two days that have begun."""
    total = next(r.total for r in found.results if r.student == "s058")
    assert total is not None
    row = page.locator("#students tbody tr", has_text="1058").locator("td").all_inner_texts()
    late = ASSIGNMENT.policies.late
    assert "(2 days late)" in row[2]
    heads = page.locator("#students thead th").all_inner_texts()
    (column,) = (number for number, head in enumerate(heads) if "after lateness" in head)
    assert float(row[column - 1]) == pytest.approx(total * (1 - 2 * late.percent_per_day / 100), abs=0.01)


def test_the_page_fits_a_phone(browser: Any, folder: Path) -> None:
    phone = browser.new_page(viewport={"width": 390, "height": 800})
    phone.goto((folder / "index.html").as_uri())
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_students_report_fits_a_phone_and_axe_finds_nothing_to_complain_of(
    browser: Any, tmp_path: Path, scheme: str
) -> None:
    """One with what to do next, worked-out checks and curves with all their pictures."""
    from axe_playwright_python.sync_playwright import Axe

    failing = [name for name, test in DECLARED.items() if test.stub_id == "cem_refit"]
    grade = result(1, measured(failed=failing, skill=0.5)).grade
    assert grade is not None
    (tmp_path / "report.html").write_text(report_page(grade, "s001"), encoding="utf-8")
    context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 390, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto((tmp_path / "report.html").as_uri())
    opened.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    width = opened.evaluate("document.documentElement.scrollWidth")
    report = Axe().run(opened)
    context.close()
    assert width <= 390
    assert report.violations_count == 0, report.generate_report()
