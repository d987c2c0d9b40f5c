"""Commands about corpora: ``emotone corpora``, ``corpus`` and ``download``."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.options import Force

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def corpora(*, json: Json = False) -> None:
    """List the corpora that emotone reads, with language, size, licence and layout."""
    from emotone.cli.tables import show_corpora
    from emotone.corpora.catalogue import corpora_list

    if json:
        print(json_format.dumps(corpora_list(), indent=1, ensure_ascii=False))
    else:
        show_corpora()


def corpus(
    name: Annotated[
        str, typer.Argument(help="Name of the reader, such as emodb, or a table of files.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ROOT] [KEY=VALUE]...",
            help="Root directory of the corpus, and options such as keep=[anger,neutral].",
        ),
    ] = None,
    *,
    json: Json = False,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture: PNG, SVG or PDF.")] = None,
    force: Force = False,
) -> None:
    """Inspect a corpus: what it holds, and problems in it."""
    from emotone import corpora
    from emotone.cli.progress import counting
    from emotone.cli.tables import show_inspection
    from emotone.corpora.inspection import inspect
    from emotone.experiments.corpus_arguments import corpus_options
    from emotone.files import check_picture

    if plot is not None:
        check_picture(plot, force=force)
    read = corpora.read(corpus_options(name, overrides or []))
    with counting("reading audio", read.table["file"].nunique()) as advance:
        found = inspect(read, advance=advance)
    if json:
        print(json_format.dumps(found.as_dict(), indent=1, ensure_ascii=False))
    else:
        show_inspection(found)
    if plot is not None:
        from emotone.reporting.corpus_plot import draw_inspection

        draw_inspection(found, plot, force=force)


def download(
    name: Annotated[str, typer.Argument(help="Name of the corpus, such as emodb.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the corpus.")],
    version: Annotated[str | None, typer.Option(help="Version; the latest by default.")] = None,
    repository: Annotated[
        Path | None, typer.Option(help="Folder to which audb published corpora.")
    ] = None,
) -> None:
    """Download a corpus that audEERING publishes, in audformat."""
    from emotone.corpora.download import download

    typer.echo("contacting the repository …", err=True)
    folder = download(name, out, version=version, repository=repository)
    typer.echo(f"{folder}: read it with emotone corpus {folder}")
