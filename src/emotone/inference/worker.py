"""A worker process and the pipe to it."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from emotone.errors import EmotoneError

START_S = 120.0  # limit for starting a process, initializer included
END_S = 5.0  # limit for a process to exit by itself
FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)  # exit codes
_STARTING = threading.Lock()  # the script is hidden from all threads


class CrashedError(EmotoneError):
    """The process of a call died.

    Args:
        message: what happened.
        outside: whether the cause is certainly not the call: it was killed, or did not start.
    """

    def __init__(self, message: str, *, outside: bool = False) -> None:
        super().__init__(message)
        self.outside = outside


class TimeLimitError(EmotoneError):
    """A call exceeded its time limit; its process was killed."""


@dataclass(frozen=True)
class Shared:
    """A pickled value in a file; a call receives the value."""

    path: Path


class Worker:
    """A process and the pipe to it."""

    def __init__(
        self,
        context: BaseContext,
        initializer: Callable[..., object] | None,
        initial_arguments: tuple[Any, ...],
    ) -> None:
        self.tasks = 0
        self._connection, theirs = context.Pipe()
        # typeshed does not declare Process in BaseContext
        self.process = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(theirs, initializer, initial_arguments), daemon=True
        )
        try:
            # the process inherits this: Ctrl-C is for its parent
            with (
                _interrupts_blocked(needs_tracker=context.get_start_method() != "fork"),
                _script_hidden(),
            ):
                self.process.start()
        except (EOFError, OSError) as error:  # the fork server died
            raise CrashedError(f"a worker process failed to start: {error}") from error
        theirs.close()
        self.is_ready = False

    def wait_until_ready(self) -> None:
        """Wait until the initializer is done."""
        if not self.is_ready:
            try:
                self._received(START_S)
            except Exception as error:
                message = f"a worker process failed to start: {error}"
                raise CrashedError(message, outside=True) from error
            self.is_ready = True

    def died_idle(self) -> bool:
        """Whether the process died while it had no call to make."""
        return self.is_ready and self._connection.poll(0)

    def make(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], timeout_s: float | None
    ) -> Any:
        """Make a call and wait for its result."""
        self.wait_until_ready()
        self.tasks += 1
        try:
            self._connection.send((function, arguments))
        except OSError as error:
            raise self._death() from error
        return self._received(timeout_s)

    def _received(self, timeout_s: float | None) -> Any:
        try:
            if not self._connection.poll(timeout_s):
                raise TimeLimitError(f"it took longer than {timeout_s:g} s")
            succeeded, value = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if not succeeded:
            raise value
        return value

    def _death(self) -> CrashedError:
        """Return the error of a process that died, which says how."""
        self.process.join(END_S)
        code = self.process.exitcode
        if code is None:
            return CrashedError("its process died")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return CrashedError(f"its process died ({how})", outside=code in FROM_OUTSIDE)

    def finish(self) -> None:
        """Let the process exit by itself."""
        self._connection.close()
        self.process.join(END_S)

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self._connection.close()


@contextmanager
def _interrupts_blocked(*, needs_tracker: bool) -> Iterator[None]:
    if needs_tracker:  # it unblocks them where it starts with the process
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _script_hidden() -> Iterator[None]:
    """Start processes as from a notebook: without the script, which may do its work unguarded.

    Otherwise each would import the script, that is, do its work again, unless it stands below
    ``if __name__ == "__main__":``.
    """
    with _STARTING:
        main = vars(sys.modules["__main__"])
        names = {"__file__", "__spec__"} & main.keys()
        kept = {name: main[name] for name in names}
        main.pop("__file__", None)
        main["__spec__"] = None
        try:
            yield
        finally:
            main.update(kept)


def _work(
    connection: Connection,
    initializer: Callable[..., object] | None,
    initial_arguments: tuple[Any, ...],
) -> None:
    """Make calls until the other end is closed; the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # also where it was not blocked
    _die_with_parent()
    try:
        if initializer is not None:
            initializer(*initial_arguments)
    except Exception as error:
        connection.send((False, _portable(error)))
        return
    connection.send((True, None))
    while True:
        try:
            request = connection.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            function, arguments = pickle.loads(request)
            values = [_loaded(one.path) if isinstance(one, Shared) else one for one in arguments]
            outcome = pickle.dumps((True, function(*values)), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            outcome = pickle.dumps((False, _portable(error)))
        connection.send_bytes(outcome)


@lru_cache(maxsize=4)
def _loaded(path: Path) -> Any:
    """Load a shared value, once in a process."""
    with path.open("rb") as file:
        return pickle.load(file)


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent, with its traceback as a note."""
    trace = traceback.format_exc()
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:  # a class that cannot be pickled
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(trace)
    return error


def _die_with_parent() -> None:
    """End this process when its parent ends, however that happens.

    A death signal of the system does not work with a fork server: the server outlives the parent
    for as long as it has children.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
