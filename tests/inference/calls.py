"""Functions that the tests of executors call in other processes; quick to import."""

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from emotone.errors import AudioError

_initial: list[Any] = []


def remember(*values: Any) -> None:
    _initial[:] = values


def initial() -> list[Any]:
    return [*_initial, os.getpid()]


def twice(value: Any) -> Any:
    return 2 * value


def length(shared: bytes, extra: int) -> tuple[int, int]:
    return len(shared) + extra, id(shared)


def pause(seconds: float = 60) -> int:
    time.sleep(seconds)
    return os.getpid()


def end(code: int) -> None:
    os._exit(code)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_first(folder: str, times: int) -> None:
    """Die the first times that it is called."""
    if len(list(Path(folder).iterdir())) < times:
        (Path(folder) / str(os.getpid())).touch()
        os._exit(1)


def fill_memory(size: int = 1_100_000_000) -> int:
    return len(b"x" * size)


def print_nan() -> None:
    print('{"probabilities": [1.0, NaN]}')


def refuse(text: str) -> None:
    raise AudioError(text)


def fail(*_: Any) -> None:
    raise ZeroDivisionError("a fault of the program")


class OddError(Exception):
    """An exception that cannot be unpickled."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__("odd")


def refuse_oddly() -> None:
    raise OddError(1, 2)


def unpicklable() -> Any:
    return threading.Lock()


def report(messages: Any, value: int) -> int:
    messages.put(value)
    return value


def work(number: int, size: int) -> tuple[int, bytes]:
    time.sleep(random.uniform(0, 0.002))
    return number, bytes(size)
