"""What counts as a fault, and the tally of a target."""

import json
import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT_S, LIMIT_MB = 20.0, 1000.0  # of a case; a megabyte has 10^6 bytes
TRACEBACK = "Traceback (most recent call last)"
KINDS = (
    "crash", "over 20 s", "over 1 GB", "traceback", "NaN", "HTTP 500", "lost data", "other",
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One thing that went wrong: its kind, and what was seen."""

    kind: str
    what: str


@dataclass(frozen=True)
class Ended:
    """How a call or a command ended.

    Attributes:
        code: exit code; negative if a signal ended it.
        seconds: how long it took.
        peak_mb: largest resident memory of the process, in MB.
        out: what was written to standard output.
        error: what was written to standard error, and the traceback of a call.
        late: whether it was killed at its time limit.
        value: what a call returned.
    """

    code: int
    seconds: float
    peak_mb: float
    out: str = ""
    error: str = ""
    late: bool = False
    value: Any = None


def faults_of(ended: Ended, limit_s: float = LIMIT_S) -> list[Fault]:
    """Return the faults that any call or command may have, whatever it was to do."""
    found = []
    if ended.late or ended.seconds > limit_s:
        found.append(Fault("over 20 s", f"took {ended.seconds:.0f} s{' and more' * ended.late}"))
    elif ended.code < 0:
        found.append(Fault("crash", signal.Signals(-ended.code).name))
    if ended.peak_mb > LIMIT_MB:
        found.append(Fault("over 1 GB", f"{ended.peak_mb:.0f} MB"))
    if TRACEBACK in ended.error:
        found += tracebacks(ended.error)[-1:]
    return found


def tracebacks(text: str) -> list[Fault]:
    """Return a fault for each traceback in a text, with its exception."""
    return [
        Fault("traceback", next((line for line in lines[1:] if line[:1].isalpha()), "unfinished"))
        for lines in (part.splitlines() for part in text.split(TRACEBACK)[1:])
    ]


def line_faults(ended: Ended, longest: int = 600) -> list[Fault]:
    """Return a fault if a command failed without a short line that says why."""
    if ended.code <= 0 or TRACEBACK in ended.error:
        return []
    lines = [line for line in ended.error.splitlines() if line.lower().startswith("error")]
    if ended.code == 2 and "Usage:" in ended.error:
        return []
    if not lines:
        return [Fault("other", f"exit code {ended.code} without a reason")]
    length = max(map(len, lines))
    return [Fault("other", f"a message of {length} characters")] if length > longest else []


def not_finite(value: Any) -> bool:
    """Whether a NaN or an infinite number is in a value of JSON."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict | list):
        return any(map(not_finite, value.values() if isinstance(value, dict) else value))
    return False


def json_faults(text: str) -> list[Fault]:
    """Return the faults of JSON lines: foreign lines, and numbers that are not finite."""
    foreign = bad = 0
    for line in text.splitlines():
        try:
            bad += not_finite(json.loads(line))
        except ValueError:
            foreign += 1
    found = [Fault("NaN", f"in {bad} lines")] if bad else []
    return found + ([Fault("other", f"{foreign} foreign lines in JSON")] if foreign else [])


@dataclass
class Tally:
    """What a target tried, and what failed: pairs of case and fault."""

    name: str
    planned: int = 0
    tried: int = 0
    seconds: float = 0.0
    faults: list[tuple[str, Fault]] = field(default_factory=list)

    def failed(self, kind: str) -> int:
        """Return the number of cases with a fault of a kind."""
        return len({case for case, fault in self.faults if fault.kind == kind})

    def listed(self, most: int) -> Iterator[tuple[str, Fault, int]]:
        """Yield one fault of each kind and wording: case, fault, how many are like it."""
        alike = Counter((one.kind, _wording(one.what)) for _, one in self.faults)
        seen: Counter[str] = Counter()
        for case, fault in self.faults:
            if (count := alike.pop((fault.kind, _wording(fault.what)), 0)) and seen[
                fault.kind
            ] < most:
                seen[fault.kind] += 1
                yield case, fault, count


def _wording(text: str) -> str:
    return "".join(letter for letter in text if not letter.isdigit())[:60]


@dataclass
class Plan:
    """What a target may do.

    Attributes:
        seed: of everything random.
        folder: for its files; empty.
        end: time of ``time.monotonic`` at which it must stop.
        tally: what it reports to.
        quick: whether it tries a twentieth only.
        only: names of the cases to try; all if empty.
        advance: called after each case.
    """

    seed: int
    folder: Path
    end: float
    tally: Tally
    quick: bool = False
    only: tuple[str, ...] = ()
    advance: Callable[[], None] = lambda: None

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()

    def count(self, full: int) -> int:
        """Return how many cases to try."""
        return max(full // 20, 1) if self.quick else full

    def wants(self, case: str) -> bool:
        """Whether a case is to be tried."""
        return not self.only or case in self.only

    def tried(self, case: str, *faults: Fault) -> None:
        """Report a case that was tried, and its faults."""
        self.tally.tried += 1
        self.tally.faults += [(case, fault) for fault in faults]
        self.advance()
