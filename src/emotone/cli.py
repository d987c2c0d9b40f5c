"""The command line: a thin layer over functions that a notebook calls just as well."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from emotone.errors import EmotoneError

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


def main() -> None:
    """Run the command line; errors that a user can mend end in one line, not in a traceback."""
    try:
        app()
    except EmotoneError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("stopped; give the same command again", 130)
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
) -> None:
    """Cross-validate: folds × seeds, speaker-independent, resumable; writes results and report."""
    from emotone.config import load

    _crossval(load(config, overrides or []), out)


@app.command()
def demo(overrides: Overrides = None, *, out: Out = Path("out/demo")) -> None:
    """Cross-validate on synthetic speech that emotone makes itself; no data needed."""
    from emotone.config import SHIPPED, load

    _crossval(load(SHIPPED / "demo.yaml", overrides or []), out)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Results folder of a finished crossval.")],
) -> None:
    """Write report.html, report.md and report.tex of a results folder."""
    from emotone.report import write

    for path in write(folder):
        typer.echo(path)


def _crossval(config: Any, out: Path) -> None:
    from emotone.display import TerminalObserver, show_results
    from emotone.experiment import crossval
    from emotone.report import write

    with TerminalObserver() as observer:
        results = crossval(config, out, observer)
    show_results(results)
    html, *_ = write(out)
    typer.echo(f"report: {html}")


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
