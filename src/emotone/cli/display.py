"""Progress and tables on the terminal; lines instead of bars where there is no terminal."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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
from rich.table import Table

from emotone.corpora import Corpus
from emotone.evaluation.folds import Fold
from emotone.evaluation.summary import independence
from emotone.experiments.runs import Run
from emotone.reporting.rendering import p_value
from emotone.training.history import History, Speed

SECONDS_PER_MINUTE = 60


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error; yields the function that advances it by one."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


class Estimate:
    """How long runs will still take, from the epochs that were timed.

    An epoch of an experiment none of whose epochs was timed yet is taken to last as long as those
    of others, in proportion to the multiply-adds. Epochs that early stopping may save are counted.
    """

    def __init__(self, missing: Sequence[Run], jobs: int) -> None:
        self.jobs = jobs
        self.experiment = {run.name: run.experiment.name for run in missing}
        self.left = {run.name: run.experiment.epochs for run in missing}
        self.cost = {run.experiment.name: run.experiment.epoch_cost for run in missing}
        self.timed: dict[str, list[float]] = {}

    def epoch(self, run: Run, epochs: int, seconds: float) -> None:
        """Take note of an epoch, the run's ``epochs``-th."""
        self.left[run.name] = run.experiment.epochs - epochs
        self.timed.setdefault(run.experiment.name, []).append(seconds)

    def finished(self, run: Run) -> None:
        """Take note that a run is over."""
        self.left[run.name] = 0

    def seconds(self) -> float | None:
        """Seconds left, or ``None`` while nothing was timed."""
        if not self.timed:
            return None
        measured = {name: sum(values) / len(values) for name, values in self.timed.items()}
        costs = [self.cost[name] for name in measured]
        per_cost = sum(measured.values()) / sum(costs) if sum(costs) else 0.0
        single = {
            run: epochs * measured.get(name := self.experiment[run], self.cost[name] * per_cost)
            for run, epochs in self.left.items()
        }
        return max(sum(single.values()) / self.jobs, max(single.values(), default=0))


def in_words(seconds: float) -> str:
    """Round a duration to what one wants to know.

    >>> in_words(7500), in_words(150), in_words(20)
    ('2 h 05 min', '3 min', '20 s')
    """
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    minutes = math.ceil(seconds / SECONDS_PER_MINUTE)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours else f"{minutes} min"


class TerminalObserver:
    """Shows an experiment's progress on standard error; use it as a context manager."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task: TaskID | None = None
        self.estimate = Estimate([], 1)
        self.speeds: dict[str, Speed] = {}

    def __enter__(self) -> "TerminalObserver":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def corpus(self, corpus: Corpus, folds: Sequence[Fold]) -> None:
        """Say what was read."""
        self.console.print(
            f"{corpus.name}: {len(corpus.table)} utterances, {len(corpus.speakers)} speakers, "
            f"{len(corpus.labels)} emotions; {_divided(folds)}",
            highlight=False,
        )
        for problem in corpus.problems:
            self.console.print(f"note: {problem}", highlight=False)

    def reading(self, done: int, total: int) -> None:
        """Advance the bar of the audio files."""
        if self.task is None:
            self.task = self.progress.add_task("reading audio", total=total, note="")
        self.progress.update(self.task, completed=done, total=total)

    def start(self, missing: Sequence[Run], finished: int, jobs: int) -> None:
        """Begin the bar of the epochs of all runs."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        if finished:
            self.console.print(
                f"{finished} of {finished + len(missing)} runs were finished before",
                highlight=False,
            )
        self.estimate = Estimate(missing, jobs)
        self.task = self.progress.add_task(
            "training epochs", total=sum(self.estimate.left.values()), note=""
        )

    def epoch(self, run: Run, history: History, speed: Speed) -> None:
        """Advance the bar and show the speed of all runs together."""
        self.estimate.epoch(run, len(history.epochs), speed.seconds)
        self.speeds[run.name] = speed
        self._advance()

    def finished(self, run: Run, result: dict[str, Any]) -> None:
        """Print a line about a run."""
        self.estimate.finished(run)
        speed = "" if self.console.is_terminal else f"; {self._note()}"
        epochs = (
            f"{result['epochs']} epochs, kept epoch {result['kept_epoch']}, "
            if "epochs" in result
            else ""
        )
        uar = result["validation_UAR"]
        validation = "" if uar is None else f"validation UAR {100 * uar:.1f} %, "
        self.console.print(
            f"run {run.name}: {epochs}{validation}{result['seconds']:.0f} s{speed}",
            highlight=False,
        )
        self.speeds.pop(run.name, None)
        self._advance()

    def _advance(self) -> None:
        assert self.task is not None
        total = self.progress.tasks[-1].total or 0
        done = total - sum(self.estimate.left.values())
        self.progress.update(self.task, completed=done, note=self._note())

    def _note(self) -> str:
        left = self.estimate.seconds()
        parts = [self._speed(), "" if left is None else f"about {in_words(left)} left"]
        return ", ".join(part for part in parts if part)

    def _speed(self) -> str:
        if not self.speeds:
            return ""
        utterances = sum(speed.utterances / speed.seconds for speed in self.speeds.values())
        audio = sum(speed.audio_s / speed.seconds for speed in self.speeds.values())
        return f"{utterances:.0f} utterances/s, {audio:.0f} audio hours/hour"


def _divided(folds: Sequence[Fold]) -> str:
    if not folds[0].test:
        learnt, judging = (len(folds[0].speakers[role]) for role in ("training", "validation"))
        return f"{learnt} speakers are learnt, {judging} validate"
    kind = "dependent" if folds[0].speaker_dependent else "independent"
    return f"{len(folds)} folds, speaker-{kind}"


def show_ablation(results: dict[str, Any]) -> None:
    """Print an ablation's table to standard output."""
    console = Console(file=sys.stdout)
    table = Table(title=f"{results['corpus']}, UAR in %", title_justify="left", title_style="bold")
    table.add_column("variant")
    table.add_column("mean ± std over seeds", justify="right")
    for reference in results["references"]:
        table.add_column(f"minus {reference} [95 %], p", justify="right")
    table.add_column("runs", justify="right")
    for row in results["rows"]:
        rate = row["UAR"]
        std = "" if not rate or rate["std"] is None else f" ± {100 * rate['std']:.1f}"
        cells = [row["variant"], f"{100 * rate['mean']:.1f}{std}" if rate else "–"]
        for reference in results["references"]:
            found = row["differences"].get(reference)
            if not found:
                cells.append("–")
                continue
            low, high = found["interval_95"]
            cells.append(
                f"{100 * found['UAR']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}], "
                + p_value(found["p_holm"])
            )
        table.add_row(*cells, f"{row['finished']}/{row['runs']}")
    console.print(table)
    if results["missing"]:
        console.print(
            f"Unfinished: {results['missing']} runs are missing; a seed counts once all its folds "
            "are finished. The same command without --only continues.",
            highlight=False,
        )


def show_results(results: dict[str, Any]) -> None:
    """Print the table of rates to standard output."""
    console = Console(file=sys.stdout)
    seeds = results["seeds"]
    title = f"{'synthetic speech' if results['synthetic'] else results['corpus']}, "
    title += f"{independence(results)}, {results['speakers']} speakers, "
    title += f"{len(results['labels'])} emotions, seed{'s' * (len(seeds) > 1)} "
    title += ", ".join(map(str, seeds))
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in ("%", "pooled", "95 % interval", "mean ± std over folds"):
        table.add_column(column, justify="left" if column == "%" else "right")
    rows = {"UAR (balanced accuracy, UA)": results["UAR"], "WAR (accuracy, WA)": results["WAR"]}
    rows |= {f"UAR of {name}": rates["UAR"] for name, rates in results["by_corpus"].items()}
    for name, rate in rows.items():
        low, high = rate["interval_95"]
        table.add_row(
            name,
            f"{100 * rate['pooled']:.1f}",
            f"{100 * low:.1f} … {100 * high:.1f}",
            f"{100 * rate['fold_mean']:.1f} ± {100 * rate['fold_std']:.1f}"
            if "fold_mean" in rate
            else "",
        )
    console.print(table)
    console.print("The interval is a bootstrap over speakers.", highlight=False)
