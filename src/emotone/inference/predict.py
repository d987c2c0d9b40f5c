"""``emotone predict``: recognise files and write the predictions as they come."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from emotone.audio import Truncated
from emotone.errors import AudioError
from emotone.inference.call import Call
from emotone.inference.execution import Executor
from emotone.inference.formats import Kind, header, lines
from emotone.inference.jobs import in_order, recognise_files
from emotone.inference.manner import Manner
from emotone.inference.output import Kept, kind_of, opened
from emotone.inference.provenance import settings_of
from emotone.inference.recognizer import Recognizer
from emotone.inference.sources import Copies
from emotone.text import encodable, plural, printable


def write_predictions(
    recognizer: Recognizer,
    files: Sequence[Path],
    *,
    kind: Kind = "table",
    output: Path | None = None,
    manner: Manner | None = None,
    executor: Executor | None = None,
    truncated: Truncated = "error",
    embedding: bool = False,
    received: Callable[[Call], None] | None = None,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Recognise files; predictions go to standard output or a file, errors to standard error.

    If the same command made ``output``, the files already in it are not recognised again.

    Args:
        recognizer: the recogniser.
        files: audio files; ``-`` is standard input.
        kind: ``table`` for people, ``json`` for an object per line, ``csv``.
        output: file to write; its suffix decides the kind.
        manner: how, if each file has several rows; ``None`` to recognise files as a whole.
        executor: makes the calls; ``None`` to recognise in this process, which a decoder may crash.
            It changes neither the predictions nor their order.
        truncated: see :meth:`emotone.Recognizer.predict`.
        embedding: whether ``output`` has the embeddings, in the columns ``e0``, ``e1``, …
        received: called with each call that was recognised.
        force: start ``output`` anew, whatever is there.
        quiet: print errors only, no progress and no notes.

    Returns:
        The number of files that could not be used.

    Raises:
        UsageError: if the suffix of ``output`` is unknown, emotone did not make it, made it with
            other settings, or is just writing to it.
        ModelError: if ``embedding`` is asked for and the model has none.
        StorageError: if ``output`` cannot be written.
    """
    if output is not None:
        kind = kind_of(output)
    size = recognizer.embedding_size if embedding else 0
    of_rows = manner.columns if manner else ()
    columns = header(recognizer.labels, recognizer.dimensions, of_rows, size)
    settings = settings_of(recognizer, manner, truncated, size)
    failed = 0
    with (
        opened(output, kind, columns, settings, force=force) as (target, kept),
        tempfile.TemporaryDirectory() as temporary,
        _progress(shown=not quiet, to_terminal=target is sys.stdout) as progress,
    ):
        left = [file for file in files if encodable(file) not in kept.files]
        if output is not None and not quiet and (len(left) < len(files) or kept.partial):
            _say_what_is_there(output, kept, len(files) - len(left), len(files))
        task = progress.add_task("recognising", total=len(left))
        copies = Copies(Path(temporary))
        existing = copies.readable(left)
        if executor is None:
            advance = _minutes(progress, task)
            answers = in_order(
                recognizer, existing, manner, truncated, advance, embedding=embedding
            )
        else:
            answers = recognise_files(
                recognizer, existing, manner, executor, truncated, embedding=embedding
            )
        for file, answer in zip(left, answers, strict=True):
            progress.advance(task)
            if isinstance(answer, AudioError):
                failed += 1
                print(f"error: {printable(copies.named(str(answer)))}", file=sys.stderr)
                continue
            if isinstance(answer, Call):
                for note in () if quiet else answer.notes:
                    print(printable(f"note: {file}: {note}"), file=sys.stderr)
                if received is not None:
                    received(answer)
            # in one piece, so that a process that is killed leaves complete files behind
            text = "".join(lines(file, answer, kind, columns))
            target.write(_for_terminal(text) if target.isatty() else text)
            target.flush()
    if failed:
        print(f"{failed} of {plural(len(files), 'file')} could not be used", file=sys.stderr)
    return failed


def _minutes(progress: Progress, task: TaskID) -> Callable[[float], None]:
    """Return a function that shows how much of a long recording is done."""
    minutes = 0.0

    def advance(seconds: float) -> None:
        nonlocal minutes
        minutes += seconds / 60
        progress.update(task, description=f"recognising, {minutes:.0f} min done")

    return advance


def _for_terminal(text: str) -> str:
    """Escape what the names in lines of CSV may hold."""
    return "\n".join(map(printable, text.split("\n")))


def _say_what_is_there(output: Path, kept: Kept, done: int, files: int) -> None:
    are = "are" if done != 1 else "is"
    more = ", and one that may lack windows is recognised again" if kept.partial else ""
    print(
        f"{done} of {plural(files, 'file')} {are} in {printable(output)} already{more}",
        file=sys.stderr,
    )


def _progress(*, shown: bool, to_terminal: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console, transient=True, redirect_stdout=False,
        disable=not shown or not console.is_terminal or (to_terminal and sys.stdout.isatty()),
    )  # fmt: skip
