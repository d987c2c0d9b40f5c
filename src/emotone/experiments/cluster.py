"""Calls on the machines of a Ray cluster.

Each machine has emotone installed, in the same version. The arguments of a call are sent to it and
its result is sent back, so the machines need no files in common. If a machine or process
dies, its call is repeated elsewhere.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from emotone.errors import EmotoneError, UsageError
from emotone.inference.worker import CrashedError

CONNECT_S = 10  # limit for a cluster to answer
RETRIES = 3  # of a call whose process or machine died


class RemoteError(EmotoneError):
    """A call failed with an error that is not one of emotone's."""


class RayExecutor:
    """An :class:`emotone.inference.execution.Executor` on a cluster; see :func:`connected`."""

    def __init__(self, ray: Any, cores: float, gpus: float) -> None:
        self._ray, self._cores, self._gpus = ray, cores, gpus
        self._running: set[Future[Any]] = set()

    @property
    def slots(self) -> int:
        """How many calls run at once on the machines that are connected now."""
        cores = self._ray.cluster_resources().get("CPU", 1)
        return max(int(cores / self._cores), 1)

    def share(self, value: Any) -> Any:
        """Send a value once for many calls."""
        return self._ray.put(value)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Schedule a call of a function of a module.

        Returns:
            A future of the result. Its exception is one of emotone's that the call raised, a
            :class:`RemoteError` for any other, or a :class:`CrashedError` if its processes died.
        """
        remote = self._ray.remote(call).options(
            num_cpus=self._cores, num_gpus=self._gpus, max_retries=RETRIES
        )
        reference = remote.remote(*arguments)
        future: Future[Any] = Future()
        self._running.add(future)

        def finish(done: Future[Any]) -> None:
            if not future.set_running_or_notify_cancel():
                return
            error = done.exception()
            if error is None:
                future.set_result(done.result())
            else:
                future.set_exception(self._translated(error))

        def discard(_: Future[Any]) -> None:
            self._running.discard(future)
            if future.cancelled():
                self._ray.cancel(reference, force=True)

        future.add_done_callback(discard)
        reference.future().add_done_callback(finish)
        return future

    def close(self) -> None:
        """Stop all calls."""
        for future in list(self._running):
            future.cancel()

    def _translated(self, error: BaseException) -> BaseException:
        if isinstance(error, self._ray.exceptions.RayTaskError):
            cause = getattr(error, "cause", error)
            if isinstance(cause, EmotoneError):
                return cause
            reason = f"{type(cause).__name__}: {cause}".strip().splitlines()[0]
            return RemoteError(f"{reason}; is emotone installed there, in the same version?")
        if isinstance(error, self._ray.exceptions.RayError):
            reason = str(error).strip().splitlines()[0]
            return CrashedError(f"its processes died {RETRIES + 1} times: {reason}")
        return error


@contextmanager
def connected(address: str, *, cores: float = 1, gpus: float = 0) -> Iterator[RayExecutor]:
    """Connect to a cluster.

    Args:
        address: ``auto`` for the cluster of this machine, or an address such as
            ``ray://host:10001``.
        cores: CPU cores of each call.
        gpus: GPUs of each call, such as 0.25.

    Raises:
        UsageError: if Ray is not installed or there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError("a cluster needs Ray: pip install 'emotone[cluster]'") from error
    try:
        _reach(address)
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"no Ray cluster at '{address}' ({reason}); start one with 'ray start --head', or give "
            "the address of one"
        ) from error
    executor = RayExecutor(ray, cores, gpus)
    try:
        yield executor
    finally:
        executor.close()
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise an error unless an address accepts connections; Ray would wait without limit."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        raise ValueError("not of the form HOST:PORT")
    socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
