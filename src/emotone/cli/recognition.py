"""``emotone predict``."""

from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli.options import OnCluster
from emotone.errors import UsageError

if TYPE_CHECKING:
    from emotone.inference.execution import Executor
    from emotone.inference.recognizer import Recognizer


def predict(
    paths: Annotated[
        list[Path], typer.Argument(help="Audio files, folders, patterns, or - for standard input.")
    ],
    *,
    model: Annotated[
        str | None, typer.Option(help="Model folder, shipped model, or id of the Hugging Face Hub.")
    ] = None,
    segments: Annotated[
        bool, typer.Option("--segments", help="Recognise windows, with their times.")
    ] = False,
    window: Annotated[float, typer.Option(help="Length of a window in seconds.")] = 3.0,
    hop: Annotated[float, typer.Option(help="Step between windows in seconds.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Write a .csv, .jsonl or .parquet file; resumes if it exists."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw waveform and emotions of one file: PNG, SVG or PDF.")
    ] = None,
    speaker: Annotated[
        list[Path] | None,
        typer.Option(help="Recordings of the speaker, or a file written by --save-speaker."),
    ] = None,
    save_speaker: Annotated[
        Path | None, typer.Option(help="Save speaker statistics as JSON.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Number of threads.")] = 1,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of processes; does not change the results.")
    ] = 1,
    cluster: OnCluster = None,
) -> None:
    """Recognise emotion in audio files; unreadable files are reported and skipped."""
    from emotone.inference.predict import write_predictions
    from emotone.inference.recognizer import load
    from emotone.inference.sources import STDIN, files_in

    if json + csv + (output is not None) > 1:
        raise UsageError("--json, --csv and --output exclude each other; give one of them")
    recognizer = load(model, threads=threads)
    if speaker or save_speaker is not None:
        recognizer = _for_speaker(recognizer, speaker, save_speaker)
    files = files_in(paths)
    if plot is not None:
        _draw(recognizer, files, window, hop, plot)
    if cluster is not None and (jobs > 1 or STDIN in map(str, files)):
        raise UsageError("--cluster cannot be combined with --jobs or standard input")
    with _executor(jobs, cluster) as executor:
        failed = write_predictions(
            recognizer,
            files,
            kind="json" if json else "csv" if csv else "table",
            output=output,
            segments=(window, hop) if segments else None,
            executor=executor,
        )
    if failed:
        raise typer.Exit(1)


def _executor(jobs: int, address: str | None) -> AbstractContextManager["Executor | None"]:
    """Where to recognise many files; ``None`` for this process."""
    if address is not None:
        from emotone.experiments.cluster import connected

        return connected(address)
    if jobs == 1:
        return nullcontext()
    from emotone.inference.execution import ProcessExecutor

    return closing(ProcessExecutor(jobs))


def _for_speaker(
    recognizer: "Recognizer", recordings: list[Path] | None, save: Path | None
) -> "Recognizer":
    """Enrol a speaker, and save the speaker's statistics if asked."""
    from emotone.inference.sources import speaker_of

    if not recordings:
        raise UsageError("--save-speaker needs recordings of the speaker; give --speaker")
    enrolled = speaker_of(recordings)
    recognizer = recognizer.for_speaker(enrolled)
    if save is not None:
        assert recognizer.speaker is not None
        recognizer.speaker.save(save)
    return recognizer


def _draw(
    recognizer: "Recognizer", files: list[Path], window: float, hop: float, picture: Path
) -> None:
    from emotone.files import check_picture_name
    from emotone.inference.sources import STDIN
    from emotone.inference.timeline import draw

    check_picture_name(picture)
    if len(files) != 1 or str(files[0]) == STDIN:
        found = f"{len(files)} files" if len(files) != 1 else "standard input"
        raise UsageError(f"--plot draws one file, got {found}; give the path of one recording")
    segments = recognizer.segments(files[0], window=window, hop=hop)
    draw(files[0], segments, recognizer.labels, picture)
