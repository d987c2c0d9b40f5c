"""The other end of :mod:`benchmarks.attack.helper`, and cases in several processes at once."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.attack.helper import Call, Command
from benchmarks.attack.outcome import LIMIT_S, Ended, Fault, Plan

ROOT = Path(__file__).parents[2]
SLOTS = 2  # cases at once
GRACE_S = 5.0  # beyond the limit of a case, until its process is killed
START_S = 60.0  # for imports
COMMANDS = (
    "emotone.cli.app", "emotone.cli.progress", "emotone.cli.tables", "emotone.inference.predict",
    "emotone.experiments.adaptation", "emotone.experiments.shipping", "emotone.reporting.report",
    "emotone.reporting.database", "torch._dynamo", "torch.onnx", "matplotlib.pyplot",
    "sklearn.metrics", "scipy.signal",
)  # fmt: skip

Item = TypeVar("Item")


def environment() -> dict[str, str]:
    """Return the environment of all processes: one thread each, this source."""
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    joined = os.pathsep.join(path for path in paths if path)
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": joined, "COLUMNS": "200"}


class Helper:
    """A warm process; a new one starts when it has died.

    Args:
        modules: what it imports first.
    """

    def __init__(self, modules: Iterable[str] = COMMANDS) -> None:
        self.modules = tuple(modules)
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, function: str, *arguments: Any, limit_s: float = LIMIT_S) -> Ended:
        """Call ``module:function`` in the process."""
        return self._asked(Call(function, arguments), limit_s + GRACE_S)

    def command(
        self,
        *arguments: str | Path,
        folder: Path,
        limit_s: float = LIMIT_S,
        function: str = "emotone.cli:main",
    ) -> Ended:
        """Run a command of emotone in a fork of the process."""
        command = Command(tuple(map(str, arguments)), str(folder), limit_s, function)
        return self._asked(command, limit_s + 2 * GRACE_S)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._connection.close()
            self._process = None

    def _asked(self, request: Call | Command, limit_s: float) -> Ended:
        fresh = self._process is None
        process = self._started()
        start = time.perf_counter()
        try:
            self._connection.send(request)
            if self._connection.poll(limit_s + START_S * fresh):
                answer: Ended = self._connection.recv()
                return answer
        except (EOFError, OSError):
            code = process.wait()
            self.close()
            return Ended(code, time.perf_counter() - start, 0.0, error=f"exit code {code}")
        self.close()
        return Ended(-9, time.perf_counter() - start, 0.0, late=True)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._connection, theirs = Pipe()
            command = [sys.executable, "-m", f"{__package__}.helper", str(theirs.fileno())]
            self._process = subprocess.Popen(
                [*command, *self.modules], pass_fds=[theirs.fileno()], env=environment(),
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            theirs.close()
        return self._process


def each(
    plan: Plan,
    cases: Iterable[tuple[str, Item]],
    tried: Callable[[Helper, str, Item], list[Fault]],
    modules: Iterable[str] = COMMANDS,
) -> None:
    """Try cases in :data:`SLOTS` helpers at once, until they or the time of the plan end.

    Args:
        plan: what may be done.
        cases: names and what they are made of.
        tried: called with a helper, the name and the item; returns the faults.
        modules: what the helpers import first.
    """
    remaining: Iterator[tuple[str, Item]] = iter(cases)
    lock = threading.Lock()
    broken: list[BaseException] = []

    def work() -> None:
        with closing(Helper(modules)) as helper:
            while plan.left_s > 0 and not broken:
                with lock:
                    case = next(remaining, None)
                if case is None:
                    return
                try:
                    faults = tried(helper, *case)
                except BaseException as error:
                    broken.append(error)
                    return
                with lock:
                    plan.tried(case[0], *faults)

    threads = [threading.Thread(target=work) for _ in range(SLOTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
