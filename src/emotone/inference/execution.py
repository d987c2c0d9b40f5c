"""Function calls in other processes, with one interface for this machine and for a cluster.

:class:`ProcessExecutor` has a pipe and a thread for each process and shares no queue or lock
between processes. A process that is killed at any moment therefore fails its own call and no other.
"""

import contextlib
import math
import multiprocessing
import os
import pickle
import queue
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Protocol

from emotone.inference.worker import CrashedError, Shared, TimeLimitError, Worker

AHEAD = 4  # calls scheduled ahead per slot
CHECK_S = 0.5  # how often an idle process is looked after
PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0  # before another start; each pause doubles the one before
START_TRIES = 3  # of a process that is kept alive, at the beginning


class Executor(Protocol):
    """Calls functions in processes of this machine or of a cluster."""

    @property
    def slots(self) -> int:
        """How many calls run at once."""

    def share(self, value: Any) -> Any:
        """Send a value once for many calls.

        Returns:
            A handle that :meth:`submit` takes in place of the value.
        """

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Schedule a call.

        Args:
            call: a function of a module.
            arguments: positional arguments, or handles of :meth:`share`.

        Returns:
            A future of the result. Its exception is that of the call, or a :class:`CrashedError`
            if the process died.
        """

    def close(self) -> None:
        """Stop all calls, running ones included."""


def map_in_order(
    executor: Executor, call: Callable[..., Any], items: Iterable[Any], *shared: Any
) -> Iterator[tuple[Any, Future[Any]]]:
    """Call a function for each item and yield the finished futures in the order of the items.

    Only a few calls per slot are scheduled ahead, so memory does not grow with the number of items.

    Args:
        executor: makes the calls.
        call: called as ``call(*shared, item)``.
        items: one for each call.
        shared: leading arguments of each call.

    Yields:
        An item and the future of its call, which is done.
    """
    remaining = iter(items)
    scheduled: deque[tuple[Any, Future[Any]]] = deque()
    try:
        while True:
            for item in islice(remaining, max(AHEAD * executor.slots - len(scheduled), 0)):
                scheduled.append((item, executor.submit(call, *shared, item)))
            if not scheduled:
                return
            item, future = scheduled.popleft()
            future.exception()  # waits
            yield item, future
    finally:
        for _, future in scheduled:
            future.cancel()


@dataclass(frozen=True)
class _Call:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Future[Any] = field(default_factory=Future)


class ProcessExecutor:
    """Calls functions in processes of this machine. Safe to use from several threads.

    A process starts when a call needs it, or with :meth:`start`. One that dies is replaced. All end
    when the process that started them ends, however that happens. They ignore Ctrl-C, so that the
    caller decides what it means.

    Args:
        slots: number of processes.
        initializer: called once in each process, before its first call.
        initial_arguments: arguments of the initializer.
        timeout_s: time limit of a call in seconds; ``None`` for no limit.
        max_tasks: calls after which a process is replaced; ``None`` for no limit.
        keeps_alive: whether a process that dies is replaced at once, after :meth:`start`. One that
            dies while it starts is tried again, with pauses that grow from 0.1 s to 30 s; calls go
            to the other processes in the meantime.
        context: how processes start, such as ``multiprocessing.get_context("forkserver")``; the
            default is ``spawn``.
    """

    def __init__(
        self,
        slots: int,
        *,
        initializer: Callable[..., object] | None = None,
        initial_arguments: tuple[Any, ...] = (),
        timeout_s: float | None = None,
        max_tasks: int | None = None,
        keeps_alive: bool = False,
        context: BaseContext | None = None,
    ) -> None:
        self.slots = slots
        self.restarts = 0
        self._context = context or multiprocessing.get_context("spawn")
        self._initial = (initializer, initial_arguments)
        self._timeout_s, self._max_tasks = timeout_s, max_tasks
        self._keeps_alive = keeps_alive
        self._calls: queue.SimpleQueue[_Call | threading.Barrier | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the following three
        self._closed = threading.Event()
        self._workers: set[Worker] = set()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(slots)]
        for thread in self._threads:
            thread.start()

    def start(self) -> None:
        """Start all processes and wait until their initializers are done.

        Raises:
            CrashedError: if an initializer failed.
        """
        ready = threading.Barrier(self.slots + 1)
        for _ in range(self.slots):
            self._calls.put(ready)
        try:
            ready.wait()
        except threading.BrokenBarrierError as error:
            raise CrashedError("a worker process failed to start") from error

    @property
    def ready(self) -> int:
        """How many processes live and have started."""
        with self._lock:
            return sum(one.is_ready and one.process.is_alive() for one in self._workers)

    def share(self, value: Any) -> Any:
        """See :class:`Executor`."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="emotone-")
            descriptor, path = tempfile.mkstemp(dir=self._folder.name)
        with os.fdopen(descriptor, "wb") as file:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        return Shared(Path(path))

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """See :class:`Executor`."""
        scheduled = _Call(call, arguments)
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("the executor is closed")
            self._calls.put(scheduled)
        return scheduled.future

    def close(self) -> None:
        """Kill all processes; calls that have not started are cancelled."""
        with self._lock:
            self._closed.set()
            for worker in self._workers:
                worker.process.kill()
        with contextlib.suppress(queue.Empty):
            while True:
                if isinstance(call := self._calls.get_nowait(), _Call):
                    call.future.cancel()
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
        if self._folder is not None:
            self._folder.cleanup()

    def _serve(self) -> None:
        """Make calls in the process of this thread until the executor is closed."""
        worker: Worker | None = None
        check_s = None
        while True:
            try:
                call = self._calls.get(timeout=check_s)
            except queue.Empty:
                worker = self._alive(worker)
                continue
            if call is None:
                break
            if isinstance(call, threading.Barrier):
                worker = self._ready(worker, call)
                check_s = CHECK_S if self._keeps_alive else None
            elif call.future.set_running_or_notify_cancel():
                worker = self._made(worker, call)
                if self._keeps_alive:
                    worker = self._alive(worker)
        if worker is not None:
            self._remove(worker)

    def _ready(self, worker: "Worker | None", ready: threading.Barrier) -> "Worker | None":
        """Start a process and report when it is ready."""
        worker = self._alive(worker, START_TRIES if self._keeps_alive else 1)
        if worker is None:
            ready.abort()
            return None
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait()
        return worker

    def _alive(self, worker: "Worker | None", tries: float = math.inf) -> "Worker | None":
        """Return a process that is ready, this or another one; ``None`` after the last try."""
        pause = PAUSE_S
        while tries > 0 and not self._closed.is_set():
            try:
                worker = worker or self._new_worker()
                worker.wait_until_ready()
                if not worker.died_idle():
                    return worker
            except (CrashedError, OSError):  # its initializer failed, or no resources
                pass
            if worker is not None:
                self._remove(worker)
                worker = None
            tries -= 1
            if tries > 0:
                self.restarts += 1
                self._closed.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        return worker

    def _made(self, worker: "Worker | None", call: _Call) -> "Worker | None":
        """Make a call; return the process for the next one."""
        try:
            if worker is not None and worker.died_idle():
                worker = self._replacement(worker)
            worker = worker or self._new_worker()
            result = worker.make(call.function, call.arguments, self._timeout_s)
        except (CrashedError, TimeLimitError) as error:
            worker = None if worker is None else self._replacement(worker)
            call.future.set_exception(error)
        except Exception as error:
            call.future.set_exception(error)
        else:
            call.future.set_result(result)
        if worker is not None and worker.tasks == self._max_tasks:
            worker.finish()
            self._remove(worker)
            return None
        return worker

    def _new_worker(self) -> "Worker":
        with self._lock:
            if self._closed.is_set():
                raise CrashedError("the executor was closed")
            worker = Worker(self._context, *self._initial)
            self._workers.add(worker)
        return worker

    def _replacement(self, dead: "Worker") -> "Worker | None":
        self._remove(dead)
        self.restarts += 1
        try:
            return self._new_worker()
        except (CrashedError, OSError):  # closed, or no resources; the next call tries again
            return None

    def _remove(self, worker: "Worker") -> None:
        worker.kill()
        with self._lock:
            self._workers.discard(worker)
