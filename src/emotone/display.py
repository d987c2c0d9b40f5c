"""Progress and tables on the terminal; lines instead of bars where there is no terminal."""

import json
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
from emotone.evaluation import independence
from emotone.folds import Fold
from emotone.inspection import Inspection
from emotone.training import History, Speed

SECONDS_PER_HOUR = 3600


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


class TerminalObserver:
    """Shows an experiment's progress on standard error; use it as a context manager."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task: TaskID | None = None
        self.epochs = 0
        self.epochs_done: dict[str, int] = {}
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
            f"{len(corpus.labels)} emotions; {len(folds)} folds, "
            f"speaker-{'dependent' if folds[0].speaker_dependent else 'independent'}",
            highlight=False,
        )
        for problem in corpus.problems:
            self.console.print(f"note: {problem}", highlight=False)

    def reading(self, done: int, total: int) -> None:
        """Advance the bar of the audio files."""
        if self.task is None:
            self.task = self.progress.add_task("reading audio", total=total, note="")
        self.progress.update(self.task, completed=done)

    def start(self, runs: int, finished: int, epochs: int) -> None:
        """Begin the bar of the epochs of all runs."""
        if self.task is not None:
            self.progress.remove_task(self.task)
        if finished:
            self.console.print(f"{finished} of {runs} runs were finished before", highlight=False)
        self.epochs = epochs
        self.task = self.progress.add_task(
            "training epochs", total=(runs - finished) * epochs, note=""
        )

    def epoch(self, run: str, history: History, speed: Speed) -> None:
        """Advance the bar and show the speed of all runs together."""
        assert self.task is not None
        self.epochs_done.setdefault(run, len(history.epochs) - 1)
        self.speeds[run] = speed
        self.progress.update(self.task, advance=1, note=self._speed())

    def finished(self, run: str, result: dict[str, Any]) -> None:
        """Print a line about a run."""
        self.console.print(
            f"run {run}: {result['epochs']} epochs, kept epoch {result['kept_epoch']}, "
            f"validation UAR {100 * result['validation_UAR']:.1f} %, {result['seconds']:.0f} s"
            + ("" if self.console.is_terminal else f"; {self._speed()}"),
            highlight=False,
        )
        if self.task is not None:
            left_out = self.epochs - result["epochs"]
            self.progress.update(self.task, advance=left_out)
        self.speeds.pop(run, None)

    def _speed(self) -> str:
        if not self.speeds:
            return ""
        utterances = sum(speed.utterances / speed.seconds for speed in self.speeds.values())
        audio = sum(speed.audio_s / speed.seconds for speed in self.speeds.values())
        return f"{utterances:.0f} utterances/s, {audio:.0f} audio hours/hour"


def show_inspection(inspection: Inspection, *, as_json: bool) -> None:
    """Print what a corpus holds and what is wrong with it to standard output."""
    facts = inspection.as_dict()
    if as_json:
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    console = Console(file=sys.stdout)
    hours = (facts["seconds"]["sum"] or 0) / SECONDS_PER_HOUR
    sexes = ", ".join(f"{count} {sex}" for sex, count in facts["sexes"].items())
    console.print(
        f"{facts['corpus']}: {facts['utterances']} utterances, {facts['speakers']} speakers "
        f"({sexes}), {hours:.2f} hours",
        highlight=False,
    )
    table = Table()
    table.add_column("speaker")
    labels = list(facts["emotions"])
    for label in [*labels, "all"]:
        table.add_column(label, justify="right")
    for speaker, counts in facts["emotions_of_speakers"].items():
        cells = [str(counts.get(label, "–")) for label in labels]
        table.add_row(speaker, *cells, str(sum(counts.values())))
    total = [str(count) for count in facts["emotions"].values()]
    table.add_section()
    table.add_row("all", *total, str(facts["utterances"]), style="bold")
    console.print(table)
    for name, unit, key in (("duration", "s", "seconds"), ("level", "dBFS", "level_dbfs")):
        spread = facts[key]
        if spread["median"] is not None:
            console.print(
                f"{name}: {spread['least']:.1f} … {spread['median']:.1f} (median) … "
                f"{spread['greatest']:.1f} {unit}",
                highlight=False,
            )
    for name, key in (("sessions", "sessions"), ("rates in Hz", "rates_hz")):
        if list(facts[key]) != ["not known"]:
            listed = ", ".join(f"{value} ({count})" for value, count in facts[key].items())
            console.print(f"{name}: {listed}", highlight=False)
    if not facts["problems"]:
        console.print("no problems found")
    for problem in facts["problems"]:
        console.print(f"problem: {problem}", highlight=False, markup=False)


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
    for name, meaning in (("UAR", "balanced accuracy, UA"), ("WAR", "accuracy, WA")):
        rate = results[name]
        low, high = rate["interval_95"]
        table.add_row(
            f"{name} ({meaning})",
            f"{100 * rate['pooled']:.1f}",
            f"{100 * low:.1f} … {100 * high:.1f}",
            f"{100 * rate['fold_mean']:.1f} ± {100 * rate['fold_std']:.1f}",
        )
    console.print(table)
    console.print("The interval is a bootstrap over speakers.", highlight=False)
