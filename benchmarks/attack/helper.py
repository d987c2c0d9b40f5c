"""A warm process: makes calls itself, and runs commands in forks, which start at once.

    python -m benchmarks.attack.helper DESCRIPTOR MODULE…

``DESCRIPTOR`` is the inherited end of a pipe, ``MODULE`` what to import first.
"""

import importlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from benchmarks.attack.outcome import Ended

EXTRA_BYTES = 3 << 30  # address space beyond that at the start; protects the machine
COLD_MB = 300.0  # of a command that has imported what it needs; here the warm process has more
LONGEST_OUTPUT = 4 << 20  # characters


@dataclass(frozen=True)
class Call:
    """A call of ``module:function`` in the warm process itself."""

    function: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Command:
    """A command in a fork: ``function`` takes no arguments and reads ``sys.argv``."""

    arguments: tuple[str, ...]
    folder: str
    limit_s: float
    function: str = "emotone.cli:main"


def serve(connection: Connection) -> None:
    """Answer requests until the other end is closed."""
    limited = False
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        if isinstance(request, Command):
            connection.send(_forked(request))
            continue
        if not limited:
            _limit_memory()
            limited = True
        connection.send(_called(request))


def found(function: str) -> Callable[..., Any]:
    """Return the function of a name such as ``package.module:function``."""
    module, _, name = function.partition(":")
    called: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return called


def _called(call: Call) -> Ended:
    function = found(call.function)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _memory_mb("VmRSS")
    code, value, error = 0, None, ""
    start = time.perf_counter()
    with _captured() as (out, _):
        try:
            value = function(*call.arguments)
        except Exception:
            code, error = 1, traceback.format_exc()
        seconds = time.perf_counter() - start
        sys.stdout.flush()
        text = _text(out)
    peak = COLD_MB + _memory_mb("VmHWM") - before
    return Ended(code, seconds, peak, text, error, value=value)


def _forked(command: Command) -> Ended:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        start, before = time.perf_counter(), _memory_mb("VmRSS")
        pid = os.fork()
        if not pid:
            try:
                _run(command, out.fileno(), error.fileno())
            finally:
                os._exit(1)
        late = False
        while not (ended := os.wait4(pid, os.WNOHANG))[0]:
            time.sleep(0.005)
            if time.perf_counter() - start > command.limit_s and not late:
                late = True
                os.killpg(pid, signal.SIGKILL)
        seconds = time.perf_counter() - start
        with _gone_allowed():  # what the command has left running
            os.killpg(pid, signal.SIGKILL)
        peak = COLD_MB + ended[2].ru_maxrss * 1024 / 1e6 - before
        code = os.waitstatus_to_exitcode(ended[1])
        return Ended(code, seconds, peak, _text(out), _text(error), late)


def _run(command: Command, out: int, error: int) -> None:
    """Run a command in this fork, and end it."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((nothing, 0), (out, 1), (error, 2)):
        os.dup2(descriptor, number)
    _limit_memory()
    os.chdir(command.folder)
    sys.argv = ["emotone", *command.arguments]
    try:
        found(command.function)()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + EXTRA_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def _memory_mb(kind: str) -> float:
    """Return resident memory of this process: ``VmRSS`` for that of now, ``VmHWM`` for the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = [int(line.split()[1]) for line in lines if line.startswith(kind)]
    return found * 1024 / 1e6


@contextmanager
def _captured() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Send what this process prints, its libraries included, to temporary files."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        before = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(error.fileno(), 2)
        try:
            yield out, error
        finally:
            for number, descriptor in enumerate(before, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)


@contextmanager
def _gone_allowed() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(LONGEST_OUTPUT).decode(errors="replace")


if __name__ == "__main__":
    for _module in sys.argv[2:]:
        importlib.import_module(_module)
    with Connection(int(sys.argv[1])) as _connection:
        found("benchmarks.attack.helper:serve")(
            _connection
        )  # not of __main__: classes are compared
