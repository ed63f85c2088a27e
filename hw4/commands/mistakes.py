"""Mistakes: a mistyped command, and errors in the student's code, each said in one paragraph (given)."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from hw4.handin.assignment import Stub, load_assignment
from hw4.handin.code_files import SyntaxProblem, parse, stubs_not_started
from hw4.handin.strict_toml import and_meant

PACKAGE = Path(__file__).resolve().parents[1]
TRACEBACK = "--traceback"  # understood by every command
MESSAGE_LENGTH = 600  # characters of an exception's message that are shown
HELP = ("-h", "--help")


class CommandFailed(Exception):
    """Ends the command with this one message and exit status 1."""


# The command line -----------------------------------------------------------------------------------------------------


def check_words(words: Sequence[str], options: Mapping[str, Collection[str]], tasks: Collection[str]) -> None:
    """Look for mistyped commands, tasks and names of options; what they are set to is checked later.

    Args:
        words: the command line.
        options: command -> names of its options, such as "num_episodes".
        tasks: what can be trained.

    Raises:
        CommandFailed: a word is none of these; the one that was probably meant is named.
    """
    if not words or words[0].startswith("-"):
        return
    command, *rest = words
    if command not in options:
        raise CommandFailed(f"there is no command {and_meant(command, options)}; the commands are {', '.join(options)}")
    program = f"python -m hw4 {command}"
    if command == "train" and (not rest or rest[0] not in HELP):
        if not rest or rest[0].startswith("-"):
            raise CommandFailed(f"train needs a task, before its options: {program} TASK; tasks: {', '.join(tasks)}")
        if rest[0] not in tasks:
            raise CommandFailed(f"there is no task {and_meant(rest[0], tasks)}; the tasks are {', '.join(tasks)}")
        program = f"{program} {rest[0]}"
    known = {f"--{name.replace('_', '-')}" for name in options[command]} | {*HELP, TRACEBACK}
    for word in rest:
        option = word.partition("=")[0].replace("_", "-")
        if option.startswith("--") and option not in known:
            raise CommandFailed(f"{program} has no option {and_meant(option, sorted(known))}; see {program} --help")


def in_one_line(refusal: str, words: Sequence[str], commands: Collection[str]) -> str:
    """What the parser of the command line says in a box, as one sentence.

    Args:
        refusal: the box. A line of "─", or of "-" where a terminal has no such sign, is below the title, and another
            one below what is wrong.
        words: the command line.
        commands: the first word of a command line that has one.
    """
    known = words[: 2 if words[:1] == ["train"] else 1] if words and words[0] in commands else []
    program = " ".join(["python -m hw4", *(word for word in known if not word.startswith("-"))])
    lines = [line.strip("│╭╮╰╯ ") for line in refusal.splitlines()]
    parts: list[list[str]] = [[]]
    for number, line in enumerate(line for line in lines if line):
        if not line.strip("─-") or (number == 0 and line.startswith("─")):  # the title may be part of the border
            parts.append([])
        else:
            parts[-1].append(line)
    wrong = parts[1] if len(parts) > 1 else parts[0]
    text = " ".join(wrong).removeprefix("Error parsing ").rstrip(".")
    return f"{text[:1].lower()}{text[1:]}; see {program} --help"


# Errors --------------------------------------------------------------------------------------------------------------


def not_written_yet(error: NotImplementedError) -> str | None:
    """One line for a stub that a command has run into, or rather for the first one that is missing up to there: which,
    where, and how to test it; None if no stub raised the error."""
    stub_id = str(error).partition(":")[0]
    stub = next((stub for stub in load_assignment().stubs if stub.id == stub_id), None)
    if stub is None:
        return None
    missing = _missing_up_to(stub)
    first = missing[0]
    more = f", the first of {len(missing)} up to {stub.symbol}" if len(missing) > 1 else ""
    return (
        f"Not written yet: {first.symbol} in hw4/{first.file} ({first.id}){more}. Test it with: {_public_test(first)}"
    )


def _missing_up_to(stub: Stub) -> list[Stub]:
    """The stubs that are not started, in the order of the assignment, up to this one; of other topics none."""
    assignment = load_assignment()
    stubs = [s for s in assignment.stubs if s.problem == stub.problem or not assignment.is_optional(s)]
    up_to = stubs[: stubs.index(stub)]
    sources = {name: PACKAGE / name for name in {one.file for one in up_to}}
    files = {name: path.read_bytes() for name, path in sources.items() if path.is_file()}
    not_started = stubs_not_started(files, assignment) if files else []
    return [*(one for one in up_to if one in not_started), stub]


def _public_test(stub: Stub) -> str:
    """The command that the stub's docstring names; it comes just before the stub's own exception."""
    source = (PACKAGE / stub.file).read_text(encoding="utf-8")
    before = source.partition(f'NotImplementedError("{stub.id}:')[0]
    commands = re.findall(r"Public test: (.+)", before)
    return commands[-1] if commands else "python -m hw4 check"


def own_line(error: BaseException) -> str | None:
    """The last line of the student's code that an error went through: "hw4/mpc.py:57", or None if there is none."""
    frame = _own_frame(error)
    return None if frame is None else f"hw4/{_name_in_package(frame.filename)}:{frame.lineno}"


def describe_error(error: BaseException) -> str:
    """What went wrong, where, and how to see more: one paragraph."""
    more = f"To see every call that led there, add {TRACEBACK}."
    if isinstance(error, NotImplementedError) and (stub := not_written_yet(error)) is not None:
        return stub
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        name = _name_in_package(error.filename)
        where = error.filename if name is None else f"hw4/{name}"
        quoted = f": {error.text.strip()}" if error.text else ""
        return f"Python cannot read {where}:{error.lineno}: {type(error).__name__}: {error.msg}{quoted}"
    frame = _own_frame(error)
    if frame is not None:
        function = "" if frame.name == "<module>" else f", in {frame.name}"
        line = f" The line is: {frame.line}" if frame.line else ""
        return f"{own_line(error)}{function}: {_name_and_message(error)}.{line}\n{more}"
    if isinstance(error, SyntaxError | ValueError) and (problem := _unreadable()) is not None:
        return f"Python cannot read hw4/{problem.file}:{problem.line}: {problem.message}"
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f"{error.filename}: {error.strerror}. Check that its folder exists and that you may write there, "
            "or give another one."
        )
    given = [frame for frame in _frames(error) if _name_in_package(frame.filename) is not None]
    where = f"hw4/{_name_in_package(given[-1].filename)}:{given[-1].lineno}: " if given else ""
    return f"{where}{_name_and_message(error)}.\n{more}"


def _unreadable() -> SyntaxProblem | None:
    """What Python does not name itself: the line of a code file with null bytes, or in another encoding than UTF-8."""
    files = {name: PACKAGE / name for name in load_assignment().submission.code}
    problems = (parse(name, path.read_bytes()) for name, path in files.items() if path.is_file())
    return next((problem for problem in problems if isinstance(problem, SyntaxProblem)), None)


def _name_and_message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "the code ends its own process (exit, quit or sys.exit)"
    message = " ".join(str(error).split())
    if len(message) > MESSAGE_LENGTH:
        message = f"{message[:MESSAGE_LENGTH]} ..."
    return f"{type(error).__name__}: {message}".rstrip(".: ")


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    linecache.checkcache()
    return list(traceback.extract_tb(error.__traceback__))


def _own_frame(error: BaseException) -> traceback.FrameSummary | None:
    code = load_assignment().submission.code
    return next((frame for frame in reversed(_frames(error)) if _name_in_package(frame.filename) in code), None)


def _name_in_package(filename: str) -> str | None:
    """A file's name inside hw4, "mpc.py" or "topics/NAME.py"; None if it is elsewhere."""
    path = Path(filename).resolve()
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else None
