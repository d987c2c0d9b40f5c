"""The attacks: a planted fault is reported, with its kind and how to repeat it."""

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.attack import audio_files, material, requests, runner
from benchmarks.attack.graphs import GRAPHS
from benchmarks.attack.mutations import mutated
from benchmarks.attack.outcome import (
    KINDS,
    Ended,
    Fault,
    Plan,
    Tally,
    faults_of,
    json_faults,
    line_faults,
)
from benchmarks.attack.processes import Helper, each

CALLS = "tests.inference.calls"


@pytest.fixture(scope="module")
def helper() -> Iterator[Helper]:
    warm = Helper(modules=[CALLS])
    yield warm
    warm.close()


@pytest.mark.parametrize(
    ("function", "kind", "what"),
    [
        (f"{CALLS}:kill_itself", "crash", "SIGKILL"),
        (f"{CALLS}:fill_memory", "over 1 GB", r"1[1-9]\d\d MB"),
        (f"{CALLS}:fail", "traceback", "ZeroDivisionError: a fault of the program"),
    ],
)
def test_a_planted_fault_of_a_command_is_found(
    helper: Helper, tmp_path: Path, function: str, kind: str, what: str
) -> None:
    (fault,) = faults_of(helper.command(folder=tmp_path, function=function))
    assert fault.kind == kind
    assert re.search(what, fault.what)


def test_a_command_and_a_call_that_go_on_are_ended(helper: Helper, tmp_path: Path) -> None:
    function = f"{CALLS}:pause"
    ended = helper.command(folder=tmp_path, function=function, limit_s=0.3)
    assert [fault.kind for fault in faults_of(ended, 0.3)] == ["over 20 s"]
    assert 0.3 < ended.seconds < 5


def test_what_a_call_returns_prints_and_raises(helper: Helper) -> None:
    assert helper.call(f"{CALLS}:twice", 4).value == 8
    printed = helper.call(f"{CALLS}:print_nan")
    assert [fault.kind for fault in json_faults(printed.out)] == ["NaN"]
    assert [fault.kind for fault in faults_of(helper.call(f"{CALLS}:fail"))] == ["traceback"]
    died = helper.call(f"{CALLS}:kill_itself")
    assert faults_of(died) == [Fault("crash", "SIGKILL")]
    assert helper.call(f"{CALLS}:twice", 5).value == 10  # in a new process


def test_lines_of_json_and_messages_are_judged() -> None:
    assert json_faults('{"a": [1.0, {"b": 2}]}\n') == []
    assert json_faults("decoder says: x\n") == [Fault("other", "1 foreign lines in JSON")]
    assert line_faults(Ended(2, 0, 0, error="error: short")) == []
    assert line_faults(Ended(1, 0, 0)) == [Fault("other", "exit code 1 without a reason")]
    long = Ended(2, 0, 0, error=f"error: {'x' * 700}")
    assert line_faults(long) == [Fault("other", "a message of 707 characters")]


def test_the_page_counts_faults_and_says_how_to_repeat_them() -> None:
    def planted(plan: Plan) -> None:
        plan.tally.planned = 5
        plan.tried("fine/0")
        plan.tried("bad/1", Fault("lost data", "1 | 2"), Fault("crash", "SIGSEGV"))
        plan.tried("bad/2", Fault("lost data", "3 | 4"))

    page, failed = runner.run({"planted": runner.Target("a target", planted, 1)}, seed=7)
    assert failed
    counts = dict.fromkeys(KINDS, 0) | {"crash": 1, "lost data": 2}
    assert f"| a target | 3 of 5 | {' | '.join(map(str, counts.values()))} | 0 |" in page
    again = "python -m benchmarks.attack --seed 7 --only planted --case bad/1"
    assert f"| lost data | 1 \\| 2 | 2 | `{again}` |" in page
    assert not runner.run({"none": runner.Target("nothing", lambda plan: None, 1)})[1]


def test_time_is_limited_and_cases_can_be_chosen(tmp_path: Path) -> None:
    tally = Tally("x")
    plan = Plan(0, tmp_path, time.monotonic() - 1, tally, only=("b",))
    each(plan, [("a", 1)], lambda *_: [], modules=())
    assert tally.tried == 0
    assert [plan.wants(case) for case in "ab"] == [False, True]


def test_cases_are_the_same_each_time_and_do_damage() -> None:
    files = material.containers()
    assert len(files) > 15
    for name in ("wav", "m4a"):
        cases = [f"{name}/{number}" for number in range(20)]
        once, twice = ([audio_files.damaged(0, case, files) for case in cases] for _ in range(2))
        assert once == twice
        assert len({*once, files[name][1]}) > 15
        assert once != [audio_files.damaged(1, case, files) for case in cases]
    assert mutated(random.Random(0), b"", b"x") is not None
    one, two = (requests.malformed(random.Random(3), 80, [b"sound"]) for _ in range(2))
    assert one == two
    assert len(GRAPHS) > 20


def test_damaged_files_run_through_the_recogniser(tmp_path: Path) -> None:
    tally = Tally("audio")
    files = material.containers()
    plan = Plan(0, tmp_path, time.monotonic() + 60, tally)
    path = tmp_path / "a.wav"

    def one(helper: Helper, _case: str, data: bytes) -> list[Fault]:
        path.write_bytes(data)
        ended = helper.call(audio_files.PREDICTED, str(path))
        assert len(ended.value) == 2
        return [*faults_of(ended), *audio_files.answer_faults(ended)]

    path.write_bytes(files["wav"][1])
    assert audio_files.recognised(str(path)) == ("ok", "ok")
    cases = [(case, data) for case, data in audio_files.cases(plan, files, 200) if "wav/" in case]
    each(plan, cases[:8], one, ["benchmarks.attack.audio_files"])
    assert (tally.tried, tally.faults) == (8, [])
