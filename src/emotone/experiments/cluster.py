"""Calls on the machines of a Ray cluster.

Each machine has emotone installed, in the same version. What a call needs is sent to it and what it
returns comes back, so the machines need no files in common. A call whose machine or process dies is
done again elsewhere.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from emotone.errors import EmotoneError, UsageError

CONNECT_S = 10  # within which a cluster must answer
RETRIES = 3  # of a call whose process or machine died


class FailedError(EmotoneError):
    """A call failed, or killed its process time and again."""


class Cluster:
    """A cluster that is connected to; made by :func:`connected`."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    @property
    def cores(self) -> int:
        """Cores of all machines that are there now."""
        return max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def put(self, value: Any) -> Any:
        """Send a value once, for many calls."""
        return self._ray.put(value)

    def submit(
        self, call: Callable[..., Any], *arguments: Any, cores: float = 1, gpus: float = 0
    ) -> Any:
        """Have a function called somewhere; returns a handle of the call.

        Args:
            call: a function of a module.
            arguments: of the function; what :meth:`put` returned stands for the value.
            cores: that the call takes up.
            gpus: that the call takes up, such as 0.25.
        """
        remote = self._ray.remote(call).options(num_cpus=cores, num_gpus=gpus, max_retries=RETRIES)
        return remote.remote(*arguments)

    def wait(self, handles: Sequence[Any], seconds: float) -> list[Any]:
        """Return the calls among ``handles`` that have ended, after so many seconds at most."""
        done, _ = self._ray.wait(list(handles), num_returns=1, timeout=seconds)
        return list(done)

    def result(self, handle: Any) -> Any:
        """What a call returned; waits for it.

        Raises:
            EmotoneError: whichever the call raised.
            FailedError: if it raised anything else, or its processes died.
        """
        try:
            return self._ray.get(handle)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, EmotoneError):
                raise error.cause from None
            reason = f"{type(error.cause).__name__}: {error.cause}".strip().splitlines()[0]
            raise FailedError(
                f"{reason}; is emotone installed there, in the same version?"
            ) from error
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[0]
            raise FailedError(f"its processes died {RETRIES + 1} times ({reason})") from error

    def cancel(self, handles: Sequence[Any]) -> None:
        """Stop calls."""
        for handle in handles:
            self._ray.cancel(handle, force=True)


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a cluster.

    Args:
        address: ``auto`` for the one that this machine is part of, or such as ``ray://host:10001``.

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
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise unless somebody listens at an address, for which Ray would wait without an end."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        raise ValueError("not of the form HOST:PORT")
    socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
