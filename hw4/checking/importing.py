"""Why a student's file cannot be imported: type, message and line of the error (given; standard library only)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from hw4.checking.failure import Failure
from hw4.handin.code_files import SyntaxProblem, parse

OWN_LINE = re.compile(r"hw4[\\/](?P<file>(?:\w+[\\/])*\w+\.py)(?::|\", line )(?P<line>\d+)")
IMPORT_SECONDS = 60.0  # processor time of one file; the first import of torch can be slow
WAIT_SECONDS = 300.0  # on the clock: a file may also wait for something that never comes

IMPORT = """
import faulthandler, os, sys, threading, time, traceback

def end_after_processor_time():
    while time.process_time() < {seconds}:
        time.sleep(0.1)
    sys.stderr.write("Timeout: processor time\\n")
    faulthandler.dump_traceback(sys.stderr)
    os._exit(1)

faulthandler.dump_traceback_later({wait}, exit=True)
threading.Thread(target=end_after_processor_time, daemon=True).start()
try:
    import {module}
except SystemExit:
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(3)
"""


def syntax_error(package: Path, file: str) -> Failure | None:
    """Why Python cannot read a code file; None if it can."""
    path = package / file
    try:
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    except FileNotFoundError:
        return Failure(file, "FileNotFoundError", f"hw4/{file} is missing", "does_not_import")
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes, or not UTF-8
        problem = parse(file, path.read_bytes())
        line = getattr(error, "lineno", None) or (problem.line if isinstance(problem, SyntaxProblem) else None)
        message = getattr(error, "msg", None) or str(error)
        return Failure(file, type(error).__name__, message, "does_not_import", f"hw4/{file}:{line}" if line else None)
    return None


def failure_of_collection(file: str, text: str, code: Collection[str]) -> Failure:
    """From pytest's report of a test module that could not be imported: the student's line and the last error.

    Args:
        file: the code file that the module tests.
        text: the report.
        code: all code files.
    """
    blocks = re.findall(r"(?:^E .*\n?)+", text, re.MULTILINE)
    lines = [line[4:] for line in blocks[-1].splitlines()] if blocks else []
    said = [line for line in lines if line and not line.startswith(" ")]  # a syntax error quotes its line before
    exception, _, message = (said[0] if said else "ImportError: it cannot be imported").partition(": ")
    return Failure(file, exception, " ".join([message, *said[1:]]), "does_not_import", _own_line(text, code))


def import_alone(package: Path, file: str, code: Collection[str]) -> Failure | None:
    """Import a file in a process of its own; what is wrong if that ends the process, or takes forever."""
    program = IMPORT.format(seconds=IMPORT_SECONDS, wait=WAIT_SECONDS, module=module_of(file))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=package.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode == 0:
        return None
    where = _own_line(done.stderr, code)
    if "Timeout" in done.stderr:
        message = f"importing the file did not end within {IMPORT_SECONDS:g} s of processor time"
        if "Timeout: processor time" not in done.stderr:
            message = (
                f"importing the file did not end within {WAIT_SECONDS:g} s, although it computed for less than "
                f"{IMPORT_SECONDS:g} s: it waits for something, or this machine is very busy"
            )
        return Failure(file, "TimeoutError", message, "does_not_import", where)
    said = [line for line in done.stderr.splitlines() if line and not line.startswith(" ")]
    exception, _, message = (said[-1] if said else "SystemExit").partition(": ")
    if exception == "SystemExit":
        message = "the file ends the process when it is imported (exit, quit or sys.exit)"
    return Failure(file, exception, message, "does_not_import", where)


def module_of(file: str) -> str:
    """ "hw4.topics.NAME" for "topics/NAME.py"."""
    return f"hw4.{file.removesuffix('.py').replace('/', '.')}"


def _own_line(text: str, code: Collection[str]) -> str | None:
    """The last line of the student's code that a traceback names."""
    lines = ((match["file"].replace("\\", "/"), match["line"]) for match in OWN_LINE.finditer(text))
    own = [f"hw4/{name}:{line}" for name, line in lines if name in code]
    return own[-1] if own else None
