"""Commands about corpora: ``emotone corpus`` and ``download``."""

from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.options import Overrides


def corpus(
    name: Annotated[str, typer.Argument(help="Name of the reader, such as emodb.")],
    root: Annotated[Path | None, typer.Argument(help="Root directory of the corpus.")] = None,
    overrides: Overrides = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture: PNG, SVG or PDF.")] = None,
) -> None:
    """Read a corpus and print its contents and its problems."""
    from emotone import corpora
    from emotone.cli.progress import counting
    from emotone.cli.tables import show_inspection
    from emotone.corpora.inspection import inspect
    from emotone.experiments.config import corpus_options

    read = corpora.read(corpus_options(name, root, overrides or []))
    with counting("reading audio", read.table["file"].nunique()) as advance:
        found = inspect(read, advance=advance)
    show_inspection(found, as_json=json)
    if plot is not None:
        from emotone.reporting.corpus_plot import draw_inspection

        draw_inspection(found, plot)


def download(
    name: Annotated[str, typer.Argument(help="Name of the corpus, such as emodb.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder to write it to.")],
    version: Annotated[str | None, typer.Option(help="Version; the latest by default.")] = None,
    repository: Annotated[
        Path | None, typer.Option(help="Folder into which audb published corpora.")
    ] = None,
) -> None:
    """Download a corpus published by audEERING, in audformat."""
    from emotone.corpora.download import download

    typer.echo("contacting the repository …", err=True)
    folder = download(name, out, version=version, repository=repository)
    typer.echo(f"{folder}: read it with corpus.name=audformat corpus.root={folder}")
