"""Several machines: shards that are merged, and Dask workers of which one dies, give what one machine gives."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from class_samples import (
    QUIET,
    canary,
    engine_of,
    entries_of,
    graded_class,
    measured,
    quick_pages,
    write_class,
    write_zip,
)

from autograder.classroom import commands
from autograder.classroom.intake.entries import ClassError
from autograder.classroom.intake.folder import ClassFolder
from autograder.classroom.marks.standing import read_class
from autograder.classroom.night.engine import Task, grade_locally
from autograder.classroom.night.grade_class import grade_class
from autograder.classroom.night.job import Settings, payload_of
from autograder.classroom.night.merge import merge
from autograder.solutions import ROOT, reference_code
from autograder.zoo import code_of, load_animals
from hw4.handin.intake import Intake

__all__ = ["quick_pages"]  # a fixture
pytestmark = pytest.mark.usefixtures("quick_pages")
ONE = Settings(curves=False, only=frozenset({"gaussian_nll"}))
START_SECONDS = 300.0


# Shards ---------------------------------------------------------------------------------------------------------------


def test_shards_into_one_folder_or_into_many_merge_into_what_one_machine_gives(tmp_path: Path) -> None:
    names = [f"s{i}" for i in range(7)]
    answers = {name: measured(skill=i / 6, curves=False, only=ONE.only) for i, name in enumerate(names)}
    whole = graded_class(tmp_path / "one", answers, settings=ONE)
    entries = entries_of(tmp_path / "one" / "submissions")
    together, apart = ClassFolder(tmp_path / "together"), [ClassFolder(tmp_path / f"part{i}") for i in (1, 2, 3)]
    for i, part in enumerate(apart, 1):
        for folder in (together, part):
            grade_class(entries, folder, ONE, engine_of(answers), QUIET, jobs=1, ask_canary=canary(), shard=(i, 3))
    assert [len(part.all_done()) for part in apart] == [3, 2, 2]
    merge([together.root], together.root)
    merge([part.root for part in apart], tmp_path / "merged")
    merge([part.root for part in apart], tmp_path / "merged")
    wanted = (whole.root / "grades.csv").read_bytes()
    assert (together.root / "grades.csv").read_bytes() == wanted
    assert (tmp_path / "merged" / "grades.csv").read_bytes() == wanted


def test_a_part_that_is_missing_is_waited_for_and_contradictions_are_refused(tmp_path: Path) -> None:
    answers = {name: measured() for name in ("ada", "bob")}
    first = graded_class(tmp_path / "a", answers)
    other = graded_class(tmp_path / "b", {**answers, "bob": measured(failed=["test_nll_of_a_gaussian"])})
    place = other.students / "bob" / "done.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "key": "by another grader"}))
    with pytest.raises(ClassError, match="different grades of bob"):
        merge([first.root, other.root], tmp_path / "out")
    entries = entries_of(tmp_path / "a" / "submissions")
    part = ClassFolder(tmp_path / "part")
    grade_class(entries, part, Settings(), engine_of(answers), QUIET, jobs=1, ask_canary=canary(), shard=(2, 2))
    assert {r.student: r.status for r in merge([part.root], tmp_path / "half").results} == {
        "ada": "waiting",
        "bob": "graded",
    }


CERTIFICATES = {"tls_ca": Path("ca.pem"), "tls_cert": Path("cert.pem"), "tls_key": Path("key.pem")}


@pytest.mark.parametrize(
    ("scheduler", "files"),
    [
        ("tls://127.0.0.1:1", {}),
        ("tls://127.0.0.1:1", dict(list(CERTIFICATES.items())[:2])),
        ("tcp://127.0.0.1:1", CERTIFICATES),
        ("tls://127.0.0.1:1", CERTIFICATES),  # none of these files is there
    ],
    ids=["none", "two of three", "without need", "not there"],
)
def test_certificates_that_do_not_fit_the_address_are_refused(
    tmp_path: Path, scheduler: str, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_class(tmp_path / "in", ["ada"])
    options: dict[str, Any] = {name: tmp_path / path for name, path in files.items()}
    status = commands.grade_class(
        tmp_path / "in", output=tmp_path / "out", engine="dask", scheduler=scheduler, **options
    )
    assert status == commands.REFUSED
    assert "no Dask scheduler" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_a_shard_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    write_class(tmp_path / "in", ["ada"])
    assert commands.grade_class(tmp_path / "in", output=tmp_path / "out", shard=text) == commands.REFUSED


def test_dask_without_a_scheduler_is_refused(tmp_path: Path) -> None:
    write_class(tmp_path / "in", ["ada"])
    assert commands.grade_class(tmp_path / "in", output=tmp_path / "out", engine="dask") == commands.REFUSED


# Dask -----------------------------------------------------------------------------------------------------------------


class Cluster:
    """A scheduler and workers in processes of their own, on this machine."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._file = folder / "scheduler.json"
        self._options = options
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._start("scheduler", "scheduler", "--port", "0", "--host", "127.0.0.1")
        end = time.monotonic() + START_SECONDS
        while not self._file.exists() and time.monotonic() < end:
            time.sleep(0.05)
        self.address = json.loads(self._file.read_text())["address"]

    def start_worker(self, name: str, *options: str) -> None:
        self._start(name, "worker", "--nthreads", "1", "--name", name, *options)

    def _start(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--scheduler-file", str(self._file)]
        command += self._options
        self.processes[name] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with contextlib.ExitStack() as closing:
        started = Cluster(tmp_path)
        closing.callback(started.stop)
        yield started


def busy(client: Any) -> set[str]:
    """The names of the workers that are at work."""
    names = {address: facts["name"] for address, facts in client.scheduler_info(n_workers=-1)["workers"].items()}
    return {names[address] for address, tasks in client.processing().items() if tasks and address in names}


@pytest.mark.verify  # a class graded twice
def test_two_workers_of_which_one_dies_at_work_give_what_one_machine_gives(tmp_path: Path, cluster: Cluster) -> None:
    """The one that dies has no nanny that would start it again; the other has one, as workers have by default."""
    from autograder.classroom.night.dask_engine import connected, grade_on

    submissions = write_class(tmp_path / "in", [f"s{i}" for i in range(5)])
    write_zip(submissions / "crash.zip", {**reference_code(), "ensemble.py": b"import os\nos.abort()\n"})
    entries = entries_of(submissions)
    local, remote = ClassFolder(tmp_path / "local"), ClassFolder(tmp_path / "remote")
    cluster.start_worker("one", "--no-nanny")
    cluster.start_worker("two")
    killed: list[str] = []
    with connected(cluster.address) as client:
        client.wait_for_workers(2, timeout=START_SECONDS)

        def kill_one_at_work() -> None:
            while not killed:
                if "one" in busy(client):
                    time.sleep(0.2)
                    cluster.processes["one"].send_signal(signal.SIGKILL)
                    killed.append("one")

        def engine(tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
            threading.Thread(target=kill_one_at_work, daemon=True).start()
            return grade_on(client, tasks, ONE)

        grade_class(entries, remote, ONE, engine, QUIET, jobs=2, ask_canary=canary())
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 1
    assert len(killed) == 1
    grade_class(
        entries, local, ONE, lambda tasks: grade_locally(tasks, ONE, jobs=1), QUIET, jobs=1, ask_canary=canary()
    )
    assert {result.status for result in read_class(remote).results} == {"graded"}
    assert (remote.root / "grades.csv").read_bytes() == (local.root / "grades.csv").read_bytes()


@pytest.mark.verify
def test_the_guide_s_certificates_lock_a_scheduler_up(tmp_path: Path) -> None:
    """By the guide's own commands: who has no certificate of the authority gets nothing."""
    guide = (ROOT / "docs" / "ta-guide.md").read_text(encoding="utf-8").replace("\\\n", " ")
    making = [line.strip() for line in guide.splitlines() if line.strip().startswith("openssl ")]
    assert len(making) == 3
    for folder in (tmp_path, tmp_path / "stranger"):
        folder.mkdir(exist_ok=True)
        for line in making:
            subprocess.run(line, shell=True, cwd=folder, check=True, capture_output=True)
    submissions = write_class(tmp_path / "in", ["ada", "bob"])
    files = {name: tmp_path / path for name, path in CERTIFICATES.items()}
    options = [f"--tls-{'ca-file' if name == 'tls_ca' else name[4:]}={path}" for name, path in files.items()]
    with contextlib.ExitStack() as closing:
        cluster = Cluster(tmp_path, *options)
        closing.callback(cluster.stop)
        cluster.start_worker("one")
        assert cluster.address.startswith("tls://")

        def grade(**given: Any) -> int:
            facts: dict[str, Any] = {"engine": "dask", "scheduler": cluster.address, "only": ("gaussian_nll",), **given}
            return commands.grade_class(submissions, output=tmp_path / "out", **facts)

        strange = {name: tmp_path / "stranger" / path for name, path in CERTIFICATES.items()}
        assert grade(scheduler=cluster.address.replace("tls", "tcp")) == commands.REFUSED
        assert grade(**strange) == commands.REFUSED
        assert grade(**{**strange, "tls_ca": files["tls_ca"]}) == commands.REFUSED
        from distributed.security import Security

        from autograder.classroom.night.dask_engine import connected

        own = Security(**{f"tls_{'ca_file' if n == 'tls_ca' else 'client_' + n[4:]}": str(p) for n, p in files.items()})
        with connected(cluster.address, own) as client:
            client.wait_for_workers(1, timeout=START_SECONDS)
        assert grade(**files) == commands.DONE
    assert [result.score for result in read_class(ClassFolder(tmp_path / "out")).results] == [3, 3]


@pytest.mark.verify
def test_two_workers_grade_more_in_an_hour_than_one_and_the_same(tmp_path: Path, cluster: Cluster) -> None:
    """On a machine with two free cores; the figures are printed."""
    from autograder.classroom.night.dask_engine import connected, grade_on

    every = Settings(curves=False)
    submissions = write_class(tmp_path / "in", [f"s{i:02}" for i in range(10)])
    write_zip(submissions / "wrong.zip", code_of(load_animals()["nll_clamps_the_log_variance"]))
    write_zip(submissions / "crash.zip", {**reference_code(), "ensemble.py": b"import os\nos.abort()\n"})
    entries = entries_of(submissions)
    rates, lists = [], []
    with connected(cluster.address) as client:
        for count, name in ((1, "one"), (2, "two")):
            cluster.start_worker(name, "--no-nanny")
            client.wait_for_workers(count, timeout=START_SECONDS)
            code = reference_code()
            warm = payload_of(Intake(code, (), (), (), (), ()), tuple(code), curves=False, only=ONE.only)
            list(grade_on(client, [Task(f"warm{i}", warm) for i in range(4 * count)], every))
            place, start = ClassFolder(tmp_path / name), time.monotonic()
            grade_class(
                entries, place, every, lambda t: grade_on(client, t, every), QUIET, jobs=count, ask_canary=canary()
            )
            rates.append(len(entries) / (time.monotonic() - start) * 3600)
            lists.append((place.root / "grades.csv").read_bytes())
    print(f"functions alone, submissions an hour: one worker {rates[0]:.0f}, two workers {rates[1]:.0f}")
    assert lists[0] == lists[1]
    assert b"crash" in lists[0]
    assert rates[1] > 1.4 * rates[0]
