"""The application: its commands, and errors as one line with an exit code."""

import os
import sys
import traceback
from typing import Annotated

import typer

from emotone.cli import (
    auditing,
    corpora,
    experiments,
    listings,
    publishing,
    recognition,
    searching,
    serving,
)
from emotone.cli.extras import installation
from emotone.cli.help import Command, Group
from emotone.cli.terminal import accept_any_text, standard_output_is_ours
from emotone.cli.verbosity import chosen, with_verbosity
from emotone.errors import EmotoneError
from emotone.text import printable

MAX_LINE = 4000  # characters of an error

COMMANDS = (  # in the order of --help
    recognition.predict,
    listings.models,
    corpora.corpora,
    corpora.corpus,
    corpora.download,
    listings.config,
    experiments.train,
    experiments.adapt,
    experiments.crossval,
    experiments.ablate,
    searching.search,
    auditing.audit,
    experiments.report,
    experiments.export,
    publishing.publish,
    serving.serve,
    experiments.demo,
)

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Speech emotion recognition that can be trusted.",
)
for _command in COMMANDS:
    app.command(cls=Command)(with_verbosity(_command))


def run() -> None:
    """Run a command; user-facing errors are one line, not a traceback."""
    accept_any_text()
    try:
        with standard_output_is_ours():
            try:
                app()
            finally:
                sys.stdout.flush()  # here, where a full disk can be reported
    except EmotoneError as error:
        if chosen.verbose:
            traceback.print_exc()
        _fail(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output has exited, as head does
        _give_up_output()
        sys.exit(1)
    except OSError as error:
        _give_up_output()
        place = error.filename or "the output"
        _fail(f"cannot read or write {place}: {error.strerror or error}", 1)
    except MemoryError:
        _fail("too little memory; use a shorter --window, fewer --jobs or a larger machine", 1)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("emotone"):
            raise
        _fail(f"this command needs the package '{error.name}': {installation(error.name)}", 1)


def _give_up_output() -> None:
    """Keep Python from writing again, at its end, what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> None:
    line = printable(" ".join(message.split()))
    print(f"error: {line[:MAX_LINE]}{'…' if len(line) > MAX_LINE else ''}", file=sys.stderr)
    sys.exit(code)


def _print_version(asked: bool) -> None:
    if asked:
        from emotone import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass
