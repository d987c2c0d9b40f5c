"""The command line: a thin layer over functions that a notebook calls just as well."""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from emotone.errors import EmotoneError, UsageError

if TYPE_CHECKING:
    from emotone.inference.execution import Executor

Done = TypeVar("Done")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Speech emotion recognition that can be trusted.",
)

Out = Annotated[Path, typer.Option(help="Results folder; one with the same experiment continues.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Options, such as training.epochs=20."),
]
OnCluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="auto|ray://HOST:PORT", help="Run on a Ray cluster."),
]


def main() -> None:
    """Run the command line; errors that a user can mend end in one line, not in a traceback."""
    try:
        app()
    except EmotoneError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("stopped; give the same command again", 130)
    except BrokenPipeError:  # the reader of our output has gone, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("emotone"):
            raise
        _fail(f"this command needs the package '{error.name}': pip install 'emotone[train]'", 1)


@app.command()
def crossval(
    config: Annotated[Path, typer.Argument(help="Configuration, such as experiments/emodb.yaml.")],
    overrides: Overrides = None,
    *,
    out: Out,
    cluster: OnCluster = None,
) -> None:
    """Cross-validate: folds × seeds, speaker-independent, resumable; writes results and report."""
    from emotone.experiments.config import load

    _crossval(load(config, _with_cluster(overrides, cluster)), out)


@app.command()
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
    hop: Annotated[float, typer.Option(help="From window to window, in seconds.")] = 1.0,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Write a .csv, .jsonl or .parquet file; one that is there continues."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw one file's waveform and emotions: PNG, SVG or PDF.")
    ] = None,
    speaker: Annotated[
        list[Path] | None,
        typer.Option(help="Recordings of the speaker, or what --save-speaker wrote."),
    ] = None,
    save_speaker: Annotated[
        Path | None, typer.Option(help="Keep how the speaker sounds, as JSON.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads to recognise with.")] = 1,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes to recognise many files with; same answers.")
    ] = 1,
    cluster: OnCluster = None,
) -> None:
    """Recognise emotion in audio files; those that cannot be used are named, the rest goes on."""
    from emotone.files import check_picture_name
    from emotone.inference.predict import write_predictions
    from emotone.inference.recognizer import load
    from emotone.inference.sources import STDIN, files_in, speaker_of

    if json + csv + (output is not None) > 1:
        raise UsageError("--json, --csv and --output exclude each other; give one of them")
    recognizer = load(model, threads=threads)
    if speaker:
        recognizer = recognizer.for_speaker(speaker_of(speaker))
    if save_speaker is not None:
        if recognizer.speaker is None:
            raise UsageError("--save-speaker needs recordings of the speaker; give --speaker")
        recognizer.speaker.save(save_speaker)
    files = files_in(paths)
    if plot is not None:
        from emotone.inference.timeline import draw

        check_picture_name(plot)
        if len(files) != 1 or str(files[0]) == "-":
            raise UsageError(f"--plot draws one file, got {', '.join(map(str, files))}")
        found = recognizer.segments(files[0], window=window, hop=hop)
        draw(files[0], found, recognizer.labels, plot)
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
    from emotone.experiments.cluster import connected
    from emotone.inference.execution import ProcessExecutor

    if address is not None:
        return connected(address)
    return closing(ProcessExecutor(jobs)) if jobs > 1 else nullcontext()


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="Configuration, such as experiments/emodb.yaml.")],
    overrides: Overrides = None,
    *,
    out: Annotated[Path, typer.Option(help="Model folder; one begun with the same continues.")],
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Results of crossval of the same configuration, to say what is sure."),
    ] = None,
) -> None:
    """Train one network on all speakers and write a model folder that emotone.load reads."""
    from emotone.experiments.config import load
    from emotone.experiments.shipping import train

    asked = load(config, overrides or [])
    folder = _led(asked, lambda observer: train(asked, out, observer, calibrate))
    typer.echo(f"model: {folder}")


@app.command()
def adapt(
    model: Annotated[str, typer.Argument(help="Model to begin with, such as emotone-base.")],
    config: Annotated[
        Path, typer.Argument(help="Your table of files, emotions and speakers, or a configuration.")
    ],
    overrides: Overrides = None,
    *,
    out: Annotated[Path, typer.Option(help="Model folder; one begun with the same continues.")],
) -> None:
    """Train a model further on your own speech; says what that gains over training from scratch."""
    from emotone.cli.display import show_ablation
    from emotone.experiments.adaptation import adapt
    from emotone.experiments.config import checked, load, set_option

    if config.suffix in (".yaml", ".yml"):
        asked = load(config, overrides or [])
    else:
        values: dict[str, Any] = {"corpus": {"name": "table", "root": config}}
        for override in overrides or []:
            set_option(values, override)
        asked = checked(values, str(config))
    adapted = _led(asked, lambda observer: adapt(model, asked, out, observer))
    show_ablation(adapted.results)
    typer.echo(f"model: {adapted.folder}")


@app.command()
def export(
    model: Annotated[str, typer.Argument(help="Model folder, or name of a model.")],
    *,
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
) -> None:
    """Write a model as one ONNX file: waveform in, logits out; compared with PyTorch before."""
    from emotone.experiments.shipping import export
    from emotone.inference.model_folder import locate

    typer.echo(f"{export(locate(model), out)}: ONNX and PyTorch agree within 1e-4")


@app.command()
def ablate(
    config: Annotated[
        Path, typer.Argument(help="Ablation, such as experiments/ablation-emodb.yaml.")
    ],
    overrides: Overrides = None,
    *,
    out: Out,
    hours: Annotated[
        float | None, typer.Option(min=0, help="Stop after so long, with a partial table.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Run this variant; several may be given.")
    ] = None,
    cluster: OnCluster = None,
) -> None:
    """Compare variants over the same folds and seeds: paired, resumable; writes the table."""
    from emotone.cli.display import show_ablation
    from emotone.experiments import ablation

    loaded = ablation.load(config, _with_cluster(overrides, cluster))
    results = _led(
        loaded.base,
        lambda observer: ablation.ablate(loaded, out, observer, hours, only or ()),
    )
    show_ablation(results)
    typer.echo(f"report: {_reports(out)[0]}")


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    model: Annotated[
        list[str] | None, typer.Option(help="Model folder or name; several may be given.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that recognise; one per core by default.")
    ] = None,
    upload_mb: Annotated[float, typer.Option(help="Largest upload in megabytes.")] = 25.0,
    minutes: Annotated[float, typer.Option(help="Longest audio of an upload.")] = 10.0,
    seconds: Annotated[float, typer.Option(help="Longest time to work on an upload.")] = 60.0,
    queue: Annotated[int, typer.Option(help="Requests that may wait.")] = 32,
    streams: Annotated[int, typer.Option(help="Live streams of one client.")] = 4,
    stream_minutes: Annotated[float, typer.Option(help="Longest live stream.")] = 60.0,
    idle_s: Annotated[float, typer.Option(help="Silence after which a stream is closed.")] = 30.0,
    token: Annotated[
        str | None,
        typer.Option(envvar="EMOTONE_TOKEN", help="Bearer token that clients must send."),
    ] = None,
) -> None:
    """Serve recognition: a page to try it, REST under /v1, its documentation at /docs."""
    import uvicorn
    from pydantic import ValidationError

    from emotone.serve.app import create
    from emotone.serve.options import ServeOptions

    given = {"models": tuple(model) if model else None, "workers": workers or os.cpu_count()}
    limits = {
        "upload_mb": upload_mb, "minutes": minutes, "seconds": seconds, "queue": queue,
        "streams": streams, "stream_minutes": stream_minutes, "idle_s": idle_s, "token": token,
    }  # fmt: skip
    chosen = {name: value for name, value in (given | limits).items() if value is not None}
    try:
        options = ServeOptions.model_validate(chosen)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--{first['loc'][0]}: {first['msg']}".replace("_", "-")) from error
    app = create(options)
    logger = logging.getLogger("emotone.serve")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler())  # one JSON object per request, on standard error
    typer.echo(f"http://{host}:{port} (Ctrl-C ends)")
    uvicorn.run(app, host=host, port=port, access_log=False, log_level="warning")


@app.command()
def demo(overrides: Overrides = None, *, out: Out = Path("out/demo")) -> None:
    """Cross-validate on synthetic speech that emotone makes itself; no data needed."""
    from emotone.experiments.config import SHIPPED, load

    _crossval(load(SHIPPED / "demo.yaml", overrides or []), out)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Results folder of crossval or ablate.")],
    *,
    audformat: Annotated[
        Path | None, typer.Option(help="Folder for the predictions as a database in audformat.")
    ] = None,
) -> None:
    """Write report.html, report.md and report.tex of a results folder."""
    from emotone.reporting.report import export_audformat

    for path in _reports(folder):
        typer.echo(path)
    if audformat is not None:
        typer.echo(export_audformat(folder, audformat))


@app.command()
def corpus(
    name: Annotated[str, typer.Argument(help="Name of the reader, such as emodb.")],
    root: Annotated[Path | None, typer.Argument(help="Where the corpus lies.")] = None,
    overrides: Overrides = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture: PNG, SVG or PDF.")] = None,
) -> None:
    """Read a corpus: what is in it, and what is wrong with it."""
    from emotone import corpora
    from emotone.cli.display import counting, show_inspection
    from emotone.corpora import inspection
    from emotone.experiments.config import corpus_options

    read = corpora.read(corpus_options(name, root, overrides or []))
    with counting("reading audio", read.table["file"].nunique()) as advance:
        found = inspection.inspect(read, advance=advance)
    show_inspection(found, as_json=json)
    if plot is not None:
        inspection.draw(found, plot)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name of the corpus, such as emodb.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder to put it in.")],
    version: Annotated[str | None, typer.Option(help="Version; the latest by default.")] = None,
    repository: Annotated[
        Path | None, typer.Option(help="Folder into which audb published corpora.")
    ] = None,
) -> None:
    """Download a corpus that audEERING publishes, in audformat."""
    from emotone.corpora.download import download

    typer.echo("asking the repository …", err=True)
    folder = download(name, out, version=version, repository=repository)
    typer.echo(f"{folder}: read it with corpus.name=audformat corpus.root={folder}")


def _with_cluster(overrides: list[str] | None, address: str | None) -> list[str]:
    return [*(overrides or []), *([f"runtime.cluster={address}"] if address else [])]


def _crossval(config: Any, out: Path) -> None:
    from emotone.cli.display import show_results
    from emotone.experiments.crossval import crossval

    results = _led(config, lambda observer: crossval(config, out, observer))
    show_results(results)
    typer.echo(f"report: {_reports(out)[0]}")


def _reports(folder: Path) -> list[Path]:
    from emotone.cli.display import counting
    from emotone.reporting.report import covered, write

    with counting("writing reports", len(covered(folder))) as advance:
        return write(folder, advance)


def _led(config: Any, work: Callable[[Any], Done]) -> Done:
    """Do the work of a command, in the first of the processes if torchrun started several.

    The others take part in what it trains, and end here.
    """
    from emotone.cli.display import TerminalObserver
    from emotone.experiments.runs import follow
    from emotone.training.parallel import joined

    with TerminalObserver() as observer, joined(config.runtime.device) as is_first:
        if is_first:
            return work(observer)
        follow()
    raise typer.Exit


def _print_version(asked: bool) -> None:
    if asked:
        from emotone import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


def _fail(message: str, code: int) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
