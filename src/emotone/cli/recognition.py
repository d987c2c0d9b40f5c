"""``emotone predict``."""

import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from emotone.cli.calls import Asked, manner_of, write_report
from emotone.cli.options import MODEL, OUTPUT, RESOURCES, Force, OnCluster, Only, Threshold
from emotone.cli.verbosity import chosen
from emotone.errors import UsageError
from emotone.text import plural, printable

WINDOWS, CALLS = "Windows", "Calls"  # groups of --help

if TYPE_CHECKING:
    from emotone.audio import Truncated
    from emotone.inference.call import Call
    from emotone.inference.execution import Executor
    from emotone.inference.recognizer import Recognizer


def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Audio files, folders, patterns, tables (.csv with file, start, end), or - for "
            "standard input.",
            readable=False,  # what cannot be read is reported, and the rest is recognised
        ),
    ],
    *,
    model: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="Model folder, shipped model, or id of the Hugging Face Hub; by default "
            "emotone-base.",
        ),
    ] = None,
    threshold: Threshold = None,
    only: Only = None,
    speaker: Annotated[
        list[Path] | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="Recordings of the speaker, or a file written by --save-speaker; by default the "
            "speaker is unknown.",
        ),
    ] = None,
    save_speaker: Annotated[
        Path | None,
        typer.Option(rich_help_panel=MODEL, help="Save the speaker's statistics as JSON."),
    ] = None,
    neutral: Annotated[
        list[Path] | None,
        typer.Option(
            rich_help_panel=MODEL,
            help="Neutral speech of the speaker, one recording or more, as a reference for all "
            "answers; by default there is none.",
        ),
    ] = None,
    segments: Annotated[
        bool,
        typer.Option(
            "--segments", rich_help_panel=WINDOWS, help="Recognise windows, with their times."
        ),
    ] = False,
    window: Annotated[
        float | None,
        typer.Option(rich_help_panel=WINDOWS, help="Length in seconds; by default 3."),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(rich_help_panel=WINDOWS, help="Step from each to the next; by default 1 s."),
    ] = None,
    channels: Annotated[
        Literal["mix", "split"],
        typer.Option(
            rich_help_panel=CALLS,
            help="split: each channel is a speaker, with answers for each turn; by default all are "
            "one recording.",
        ),
    ] = "mix",
    turns: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=CALLS,
            help="Who speaks when: .rttm, .csv (start, end, speaker), .srt or .vtt; by default a "
            "turn ends with a pause.",
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", rich_help_panel=OUTPUT, help="Print a JSON object per line."),
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", rich_help_panel=OUTPUT, help="Print CSV.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT,
            help="Write a .csv, .jsonl or .parquet file, and its folders; resumes if the same "
            "command made it. By default lines are printed.",
        ),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT,
            help="Write predictions and embeddings as .parquet or .csv; resumes like --output.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT,
            help="Draw waveform and emotions of one file: PNG, SVG or PDF.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=OUTPUT,
            help="Write a page of one call with lanes, turns and playback: .html; by default none.",
        ),
    ] = None,
    truncated: Annotated[
        Literal["error", "accept"],
        typer.Option(help="If the end of a file is missing: an error, or take what is there."),
    ] = "error",
    threads: Annotated[
        int, typer.Option(min=1, rich_help_panel=RESOURCES, help="Number of threads.")
    ] = 1,
    jobs: Annotated[
        int,
        typer.Option(
            min=1,
            rich_help_panel=RESOURCES,
            help="Number of processes; does not change the results.",
        ),
    ] = 1,
    cluster: OnCluster = None,
    force: Force = False,
) -> None:
    """Recognise emotion in audio files; unreadable files are reported and skipped.

    Examples:
        emotone predict call.wav interview.mp3 --segments
        emotone predict recordings/ --output answers.csv --jobs 8
    """
    from emotone.audio.windows import HOP_S, WINDOW_S
    from emotone.inference.predict import write_predictions
    from emotone.inference.recognizer import load
    from emotone.inference.sources import STDIN, files_in, recordings_of

    if json + csv + (output is not None) + (embeddings is not None) > 1:
        raise UsageError(
            "--json, --csv, --output and --embeddings exclude each other; give one of them"
        )
    if not segments and plot is None and (window, hop) != (None, None):
        raise UsageError("--window and --hop belong to --segments or --plot; add one of them")
    lengths = (WINDOW_S if window is None else window, HOP_S if hop is None else hop)
    _check_names(embeddings, plot, save_speaker, segments=segments, force=force)
    if report is not None:
        from emotone.reporting.call_report import check

        check(report, force=force)
    recognizer = load(model, threads=threads, only=only).with_threshold(threshold)
    if speaker or save_speaker is not None:
        recognizer = _for_speaker(recognizer, speaker, save_speaker, force=force)
    if neutral:
        recognizer = recognizer.with_neutral(recordings_of(neutral))
    sources = files_in(paths)
    files = sources.files
    for note in sources.notes:
        chosen.note(printable(note))
    for error in sources.errors:
        typer.echo(printable(f"error: {error}"), err=True)
    asked = Asked(
        lengths if segments else None, channels, turns, report,
        others={
            "--embeddings": embeddings, "--plot": plot, "--speaker": speaker, "--neutral": neutral,
        },
    )  # fmt: skip
    manner = manner_of(sources, asked)
    calls: list[Call] = []
    if plot is not None:
        _draw(recognizer, files, lengths, plot, truncated, force=force)
    if cluster is not None and (jobs > 1 or STDIN in map(str, files)):
        raise UsageError("--cluster cannot be combined with --jobs or standard input")
    with _executor(recognizer, jobs, cluster, len(files)) as executor:
        failed = write_predictions(
            recognizer,
            files,
            kind="json" if json else "csv" if csv else "table",
            output=output or embeddings,
            manner=manner,
            executor=executor,
            embedding=embeddings is not None,
            truncated=truncated,
            received=calls.append if report else None,
            force=force,
            quiet=chosen.quiet,
        )
    if report is not None and not failed:
        write_report(recognizer, files[0], manner, calls, report, truncated, force=force)
    if failed or sources.errors:
        raise typer.Exit(1)


def _check_names(
    embeddings: Path | None,
    plot: Path | None,
    save_speaker: Path | None,
    *,
    segments: bool,
    force: bool,
) -> None:
    """Refuse, before anything is recognised, what cannot be written."""
    from emotone.files import check_picture
    from emotone.inference.speaker import check_speaker_file

    if embeddings is not None and embeddings.suffix.lower() not in (".parquet", ".csv"):
        raise UsageError(f"--embeddings {embeddings}: the name must end in .parquet or .csv")
    if embeddings is not None and segments:
        raise UsageError("--embeddings has one row per file; leave out --segments")
    if plot is not None:
        check_picture(plot, force=force)
    if save_speaker is not None:
        check_speaker_file(save_speaker, force=force)


@contextmanager
def _executor(
    recognizer: "Recognizer", jobs: int, address: str | None, files: int
) -> Iterator["Executor | None"]:
    """Yield where to recognise many files; ``None`` for this process.

    A decoder that crashes shall not end a run, so several files are never decoded in this process
    if it can be forked, which takes a few milliseconds.
    """
    if address is not None:
        from emotone.experiments.cluster import connected

        with connected(address) as machines:
            yield machines
        return
    alone = jobs == 1
    if alone and (files < 2 or sys.platform != "linux"):
        yield None
        return
    from emotone.inference.execution import ProcessExecutor
    from emotone.inference.jobs import keep

    context = multiprocessing.get_context("fork" if alone else "spawn")
    with closing(ProcessExecutor(jobs, context=context)) as executor:
        if alone:
            keep(recognizer)
            executor.start()  # before there are other threads
        yield executor


def _for_speaker(
    recognizer: "Recognizer", recordings: list[Path] | None, save: Path | None, *, force: bool
) -> "Recognizer":
    """Enrol a speaker, and save the speaker's statistics if asked."""
    from emotone.inference.sources import speaker_of

    if not recordings:
        raise UsageError("--save-speaker needs recordings of the speaker; give --speaker")
    enrolled = speaker_of(recordings)
    recognizer = recognizer.for_speaker(enrolled)
    if save is not None:
        assert recognizer.speaker is not None
        recognizer.speaker.save(save, force=force)
    return recognizer


def _draw(
    recognizer: "Recognizer",
    files: list[Path],
    lengths: tuple[float, float],
    picture: Path,
    truncated: "Truncated",
    *,
    force: bool,
) -> None:
    from emotone.inference.sources import STDIN
    from emotone.inference.timeline import draw

    if len(files) != 1 or str(files[0]) == STDIN:
        found = plural(len(files), "file") if len(files) != 1 else "standard input"
        raise UsageError(f"--plot draws one file, got {found}; give the path of one recording")
    window, hop = lengths
    segments = recognizer.segments(files[0], window=window, hop=hop, truncated=truncated)
    draw(files[0], segments, recognizer.labels, picture, truncated, force=force)
