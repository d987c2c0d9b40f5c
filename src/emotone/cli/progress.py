"""Progress on standard error: bars on a terminal, lines where there is none."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from emotone.cli.verbosity import chosen
from emotone.text import agree, plural, printable

if TYPE_CHECKING:
    from emotone.corpora import Corpus
    from emotone.evaluation.folds import Fold
    from emotone.evaluation.results import Epoch, RunRecord
    from emotone.experiments.plan import Run

SECONDS_PER_MINUTE = 60
MINUTES_PER_HOUR = 60


@contextmanager
def counting(what: str, total: int, line_s: float | None = None) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal, and elsewhere a line whenever a minute has passed.

    Args:
        what: is counted.
        total: number of steps.
        line_s: least time between two lines in seconds; by default as ``--verbose`` says.

    Yields:
        The function that advances it by one.
    """
    console = Console(stderr=True)
    least_s = chosen.line_s if line_s is None else line_s
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=chosen.quiet or not console.is_terminal,
    ) as progress:
        task, last_line = progress.add_task(what, total=total), time.monotonic()

        def advance() -> None:
            nonlocal last_line
            progress.advance(task)
            if not console.is_terminal and time.monotonic() - last_line >= least_s:
                last_line = time.monotonic()
                chosen.note(f"{what}: {progress.tasks[task].completed:.0f} of {total}")

        yield advance


class Estimate:
    """Time left for the runs, estimated from the epochs that were timed.

    An epoch of an experiment without timed epochs is assumed to last as long as those of others, in
    proportion to the multiply-adds. Early stopping may make runs shorter.

    Args:
        missing: runs that are not finished.
        slots: number of runs at once.
    """

    def __init__(self, missing: Sequence["Run"], slots: int) -> None:
        self.slots = slots
        self.experiment = {run.name: run.experiment.name for run in missing}
        self.left = {run.name: run.experiment.epochs for run in missing}
        self.cost = {run.experiment.name: run.experiment.epoch_cost for run in missing}
        self.timed: dict[str, Sequence[float]] = {run.name: [] for run in missing}  # seconds

    def epochs(self, run: "Run", history: Sequence["Epoch"]) -> None:
        """Record all epochs of a run so far."""
        self.left[run.name] = run.experiment.epochs - len(history)
        self.timed[run.name] = [epoch.seconds for epoch in history]

    def ended(self, run: "Run") -> None:
        """Record that a run is over."""
        self.left[run.name] = 0

    def seconds(self) -> float | None:
        """Seconds left, or ``None`` if no epoch was timed yet."""
        measured: dict[str, float] = {}
        for name in self.cost:
            values = [
                second
                for run, seconds in self.timed.items()
                if self.experiment[run] == name
                for second in seconds
            ]
            if values:
                measured[name] = sum(values) / len(values)
        if not measured:
            return None
        costs = sum(self.cost[name] for name in measured)
        per_cost = sum(measured.values()) / costs if costs else 0.0
        single = {
            run: epochs * measured.get(name := self.experiment[run], self.cost[name] * per_cost)
            for run, epochs in self.left.items()
        }
        return max(sum(single.values()) / self.slots, max(single.values(), default=0))


def in_words(seconds: float) -> str:
    """Write a duration, rounded.

    >>> in_words(7500), in_words(150), in_words(20)
    ('2 h 05 min', '3 min', '20 s')
    """
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    minutes = math.ceil(seconds / SECONDS_PER_MINUTE)
    hours, rest = divmod(minutes, MINUTES_PER_HOUR)
    return f"{hours} h {rest:02d} min" if hours else f"{minutes} min"


class TerminalObserver:
    """An :class:`emotone.experiments.plan.Observer` that prints to standard error.

    Use it as a context manager. On a terminal it shows a bar. Elsewhere it prints a line per
    finished run, and one whenever a minute has passed without any.

    Args:
        line_s: longest time between two lines in seconds; by default as ``--verbose`` says.
    """

    def __init__(self, line_s: float | None = None) -> None:
        self.console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),  # the bar fits 60 columns
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            disable=chosen.quiet or not self.console.is_terminal,
        )
        self.task: TaskID | None = None
        self.estimate = Estimate([], 1)
        self.state = ""  # what a line says while no run is finished
        self._runs = [0, 0]  # finished, all
        self._epochs: dict[str, int] = {}  # of each run so far
        self._line_s = chosen.line_s if line_s is None else line_s
        self._last_line = time.monotonic()
        self._ended = threading.Event()
        self._lines = threading.Thread(target=self._print_lines, daemon=True)

    def __enter__(self) -> "TerminalObserver":
        self.progress.start()
        if not (self.console.is_terminal or chosen.quiet):
            self._lines.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self.progress.stop()

    def corpus(self, corpus: "Corpus", folds: Sequence["Fold"]) -> None:
        """Print what was read."""
        self._print(
            f"{corpus.name}: {plural(len(corpus.table), 'utterance')}, "
            f"{plural(len(corpus.speakers), 'speaker')}, {plural(len(corpus.labels), 'emotion')}; "
            f"{_division(folds)}"
        )
        for problem in corpus.problems:
            self._print(f"note: {problem}")

    def reading(self, done: int, total: int) -> None:
        """Advance the bar of the audio files."""
        if self.task is None:
            self.task = self.progress.add_task("reading audio", total=total, note="")
        self.progress.update(self.task, completed=done, total=total)
        self.state = f"reading audio: {done} of {total}"

    def start(self, missing: Sequence["Run"], finished: int, slots: int) -> None:
        """Start the bar that counts the epochs of all runs."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        self._runs = [finished, finished + len(missing)]
        if finished:
            runs = plural(finished + len(missing), "run")
            self._print(f"{finished} of {runs} {agree(finished, 'were')} finished before")
        self.estimate = Estimate(missing, slots)
        self.task = self.progress.add_task(
            "epochs", total=sum(self.estimate.left.values()), note=""
        )
        self.state = "training"

    def epochs(self, run: "Run", history: Sequence["Epoch"]) -> None:
        """Advance the bar."""
        self.estimate.epochs(run, history)
        before = self._epochs.get(run.name, 0)
        self._epochs[run.name] = len(history)
        for number, epoch in enumerate(history[before:], before + 1):
            self.state = (
                f"{run.name}: epoch {number} of {run.experiment.epochs}, "
                f"loss {epoch.training_loss:.3f}"
            )
            if chosen.verbose:
                self._print(self.state)
        self._advance()

    def finished(self, run: "Run", record: "RunRecord") -> None:
        """Print a line about a run."""
        self._runs[0] += 1
        self._ended_run(run)
        parts = []
        if record.validation_uar is not None:
            parts.append(f"validation UAR {100 * record.validation_uar:.1f} %")
        elif record.history:
            parts.append(f"training loss {record.history[-1].training_loss:.3f}")
        if record.epochs is not None:
            parts.append(f"epoch {record.kept_epoch} of {record.epochs}")
        parts.append(f"{record.seconds:.0f} s")
        left = "" if self.console.is_terminal else self._time_left()
        done, of_all = self._runs
        note = f"; {left}" if left else ""
        self._print(f"{done} of {of_all}: {run.name}: {', '.join(parts)}{note}")

    def failed(self, run: "Run", error: Exception) -> None:
        """Print why a run failed."""
        self._ended_run(run)
        self._print(f"{run.name} failed: {' '.join(str(error).split())}", is_error=True)

    def _ended_run(self, run: "Run") -> None:
        self.estimate.ended(run)
        self.state = "training"
        self._advance()

    def _advance(self) -> None:
        assert self.task is not None
        total = self.progress.tasks[-1].total or 0
        done = total - sum(self.estimate.left.values())
        self.progress.update(self.task, completed=done, note=self._time_left())

    def _note(self) -> str:
        finished, of_all = self._runs
        parts = [
            f"{finished} of {plural(of_all, 'run')}" if of_all else "",
            self._time_left(),
        ]
        return ", ".join(part for part in parts if part)

    def _time_left(self) -> str:
        left = self.estimate.seconds()
        return f"{in_words(left)} left" if left else ""

    def _print(self, line: str, *, is_error: bool = False) -> None:
        self._last_line = time.monotonic()
        if is_error or not chosen.quiet:
            # a log has a line for each message; a terminal's are folded between words
            self.console.print(printable(line), soft_wrap=not self.console.is_terminal)

    def _print_lines(self) -> None:
        """Print the state whenever no line was printed for a while."""
        while not self._ended.wait(self._last_line + self._line_s - time.monotonic()):
            if time.monotonic() >= self._last_line + self._line_s:
                self._print("; ".join(part for part in (self.state, self._note()) if part))


def _division(folds: Sequence["Fold"]) -> str:
    """Say how a corpus is divided."""
    if not folds[0].test:
        training, validation = (len(folds[0].speakers[role]) for role in ("training", "validation"))
        roles = plural(training, "training speaker"), plural(validation, "validation speaker")
        return ", ".join(roles)
    return f"{len(folds)} folds, {folds[0].independence}"
