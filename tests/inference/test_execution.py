"""Calls in other processes: crashes, time limits and kills at any moment."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from emotone.errors import AudioError
from emotone.inference.execution import AHEAD, ProcessExecutor, map_in_order
from emotone.inference.worker import CrashedError, TimeLimitError
from tests.helpers import children, command_of, wait_until_ended
from tests.inference import calls

pytestmark = pytest.mark.slow

FORKSERVER = multiprocessing.get_context("forkserver")
PATIENCE_S = 60


@pytest.fixture
def executor() -> Iterator[ProcessExecutor]:
    with closing(ProcessExecutor(2, context=FORKSERVER, timeout_s=PATIENCE_S)) as running:
        yield running


def test_results_and_errors_are_those_of_the_call(executor: ProcessExecutor) -> None:
    assert executor.submit(calls.twice, 21).result() == 42
    with pytest.raises(AudioError, match="no sound") as raised:
        executor.submit(calls.refuse, "no sound").result()
    assert str(raised.value) == "no sound"
    assert "in refuse" in raised.value.__notes__[0]
    with pytest.raises(RuntimeError, match="OddError: odd"):
        executor.submit(calls.refuse_oddly).result()
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        executor.submit(calls.unpicklable).result()
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        executor.submit(calls.twice, threading.Lock()).result()
    assert executor.submit(calls.twice, 4).result() == 8
    assert executor.restarts == 0


@pytest.mark.parametrize(
    ("call", "arguments"), [(calls.end, (0,)), (calls.end, (1,)), (calls.kill_itself, ())]
)
def test_a_crash_fails_its_own_call_only(
    executor: ProcessExecutor, call: Any, arguments: tuple[Any, ...]
) -> None:
    futures = [
        executor.submit(call, *arguments) if number == 5 else executor.submit(calls.twice, number)
        for number in range(20)
    ]
    with pytest.raises(CrashedError, match="its process died"):
        futures[5].result(PATIENCE_S)
    assert [future.result(PATIENCE_S) for n, future in enumerate(futures) if n != 5] == [
        2 * number for number in range(20) if number != 5
    ]
    assert executor.restarts == 1


def test_a_call_over_its_time_limit_is_killed_and_the_others_are_not_delayed() -> None:
    with closing(ProcessExecutor(2, context=FORKSERVER, timeout_s=2)) as executor:
        executor.start()
        slow = executor.submit(calls.pause, 60)
        began = time.monotonic()
        others = [executor.submit(calls.pause, 0.1) for _ in range(10)]
        assert wait(others, timeout=PATIENCE_S).not_done == set()
        assert time.monotonic() - began < 2
        with pytest.raises(TimeLimitError, match="longer than 2 s"):
            slow.result(PATIENCE_S)
        assert time.monotonic() - began < 4
        assert executor.restarts == 1
        assert executor.submit(calls.twice, 1).result(PATIENCE_S) == 2


def test_a_process_that_dies_between_calls_costs_no_call() -> None:
    with closing(ProcessExecutor(1, context=FORKSERVER)) as executor:
        process = executor.submit(calls.pause, 0).result()
        os.kill(process, signal.SIGKILL)
        wait_until_ended(process)
        assert executor.submit(calls.twice, 2).result() == 4
        assert executor.restarts == 1


@pytest.mark.parametrize("size", [10, 1_000_000])  # results below and above what a pipe holds
def test_kills_at_random_moments_lose_no_other_call(size: int) -> None:
    """What pools with a queue shared by all processes do not survive."""
    with closing(ProcessExecutor(2, context=FORKSERVER)) as executor:
        futures = [executor.submit(calls.work, number, size) for number in range(600)]
        chance, kills = random.Random(0), 0
        while not all(future.done() for future in futures) and kills < 30:
            time.sleep(chance.uniform(0.005, 0.03))
            with executor._lock:
                worker = chance.choice([*executor._workers, None])
            if worker is not None:
                worker.process.kill()
                kills += 1
        assert wait(futures, timeout=PATIENCE_S).not_done == set()
    ended: Counter[type[BaseException] | None] = Counter()
    for number, future in enumerate(futures):
        error = future.exception()
        ended[None if error is None else type(error)] += 1
        assert error is not None or future.result() == (number, bytes(size))
    assert kills > 3
    assert set(ended) <= {None, CrashedError}
    assert ended[CrashedError] <= kills


def test_each_process_is_initialised_and_replaced_after_its_calls() -> None:
    messages = FORKSERVER.Queue()
    with closing(
        ProcessExecutor(
            2,
            context=FORKSERVER,
            initializer=calls.remember,
            initial_arguments=("a", 1),
            max_tasks=1,
        )
    ) as executor:
        found = [executor.submit(calls.initial).result() for _ in range(3)]
        assert all(one[:2] == ["a", 1] for one in found)
        assert len({one[2] for one in found}) == 3
        assert executor.restarts == 0
    with closing(
        ProcessExecutor(
            1, context=FORKSERVER, initializer=calls.report, initial_arguments=(messages, 7)
        )
    ) as executor:
        executor.start()
        assert messages.get(timeout=PATIENCE_S) == 7


def test_an_initializer_that_fails_is_an_error_of_each_call() -> None:
    with closing(
        ProcessExecutor(
            2, context=FORKSERVER, initializer=calls.refuse, initial_arguments=("no model",)
        )
    ) as executor:
        with pytest.raises(CrashedError, match="failed to start"):
            executor.start()
        for _ in range(3):
            with pytest.raises(CrashedError, match="failed to start: no model"):
                executor.submit(calls.twice, 1).result(PATIENCE_S)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_that_dies_while_it_starts_is_replaced(tmp_path: Path) -> None:
    def keeping(times: int) -> ProcessExecutor:
        return ProcessExecutor(
            1, context=FORKSERVER, initializer=calls.die_first, keeps_alive=True,
            initial_arguments=(str(tmp_path), times),
        )  # fmt: skip

    with closing(keeping(2)) as executor:
        executor.start()
        assert (executor.ready, executor.restarts) == (1, 2)
        process = executor.submit(calls.pause, 0).result(PATIENCE_S)
        for path in tmp_path.iterdir():  # it dies while it starts from now on
            path.unlink()
        os.kill(process, signal.SIGKILL)
        wait_for(lambda: executor.ready == 0)
        wait_for(lambda: executor.ready == 1)  # without a call
        assert executor.restarts == 5
        assert executor.submit(calls.twice, 2).result(PATIENCE_S) == 4
    with closing(keeping(99)) as executor, pytest.raises(CrashedError, match="failed to start"):
        executor.start()


def test_a_death_says_whether_the_call_may_be_the_cause(executor: ProcessExecutor) -> None:
    outside = []
    for call, arguments in ((calls.kill_itself, ()), (calls.end, (1,))):
        error = executor.submit(call, *arguments).exception(PATIENCE_S)
        assert isinstance(error, CrashedError)
        outside.append(error.outside)
    assert outside == [True, False]


def test_a_process_that_cannot_be_started_is_an_error_of_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_process: object) -> None:
        raise EOFError("unexpected EOF")  # what a killed fork server leads to

    context = multiprocessing.get_context("spawn")
    monkeypatch.setattr(context.Process, "start", start)
    with closing(ProcessExecutor(1, context=context)) as executor:
        future = executor.submit(os.getpid)
        with pytest.raises(CrashedError, match="failed to start: unexpected EOF"):
            future.result(PATIENCE_S)


def test_a_shared_value_is_loaded_once_in_a_process() -> None:
    with closing(ProcessExecutor(1, context=FORKSERVER)) as executor:
        shared = executor.share(bytes(1000))
        folder = executor._folder
        assert folder is not None
        first, again = (executor.submit(calls.length, shared, extra).result() for extra in (1, 2))
        assert (first[0], again[0]) == (1001, 1002)
        assert first[1] == again[1]
        assert executor.submit(calls.length, executor.share(b"x"), 0).result()[0] == 1
    assert not Path(folder.name).exists()


def test_closing_kills_what_runs_and_cancels_what_waits() -> None:
    before = set(children(os.getpid()))
    executor = ProcessExecutor(1)
    running = executor.submit(calls.pause, 60)
    waiting = executor.submit(calls.twice, 1)
    while not running.running():
        time.sleep(0.01)
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 5
    assert isinstance(running.exception(), CrashedError)
    assert waiting.cancelled()
    left = set(children(os.getpid())) - before
    assert not any("spawn_main" in command_of(pid) for pid in left)
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(calls.twice, 1)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_die_with_their_parent(tmp_path: Path, method: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import multiprocessing, time\n"
        "from emotone.inference.execution import ProcessExecutor\n"
        "from tests.inference.calls import pause\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({method!r})\n"
        "    executor = ProcessExecutor(2, context=context)\n"
        "    pids = {executor.submit(pause, 0.3) for _ in range(4)}\n"
        "    print(*{future.result() for future in pids}, flush=True)\n"
        "    executor.submit(pause, 600)\n"
        "    time.sleep(600)\n"
    )
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, *sys.path])}
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    processes = [int(pid) for pid in parent.stdout.readline().split()]
    assert processes
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline, "a process outlived its parent"
        time.sleep(0.05)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_script_needs_no_guard(tmp_path: Path, method: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "from contextlib import closing\n"
        "from emotone.inference.execution import ProcessExecutor\n"
        "print('at work')\n"
        f"context = multiprocessing.get_context({method!r})\n"
        "with closing(ProcessExecutor(2, context=context)) as executor:\n"
        "    print(executor.submit(abs, -3).result())\n"
        "print(__file__, __spec__)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["at work", "3", f"{script} None"]


class Counting:
    """An executor that calls at once and records how far ahead it is asked."""

    slots = 2

    def __init__(self) -> None:
        self.submitted = 0
        self.futures: list[Future[Any]] = []

    def share(self, value: Any) -> Any:
        return value

    def submit(self, call: Any, *arguments: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        self.futures.append(future)
        try:
            future.set_result(call(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None: ...


def test_results_come_in_order_with_a_bounded_number_ahead() -> None:
    executor = Counting()
    taken = 0
    for item, future in map_in_order(executor, pow, iter(range(100)), 3):
        assert (item, future.result()) == (taken, 3**taken)
        taken += 1
        assert executor.submitted - taken < AHEAD * executor.slots
    assert taken == executor.submitted == 100


def test_a_map_that_is_abandoned_cancels_what_it_scheduled() -> None:
    class Busy(Counting):
        """Finishes the first call only."""

        def submit(self, call: Any, *arguments: Any) -> Future[Any]:
            if not self.futures:
                return super().submit(call, *arguments)
            self.futures.append(Future())
            return self.futures[-1]

    executor = Busy()
    results = map_in_order(executor, calls.twice, range(10))
    item, future = next(results)
    assert (item, future.result()) == (0, 0)
    results.close()  # type: ignore[attr-defined]
    assert len(executor.futures) == AHEAD * executor.slots
    assert all(future.cancelled() for future in executor.futures[1:])
