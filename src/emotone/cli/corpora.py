"""The commands about corpora: ``corpora``, ``corpus`` and ``download``."""

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from emotone.corpora.inspection import Inspection

SECONDS_PER_HOUR = 3600

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def corpora(*, json: Json = False) -> None:
    """List the corpora that emotone reads, with language, size, licence and layout."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from emotone.corpora import READERS
    from emotone.corpora.catalogue import corpora_list, counts
    from emotone.corpora.info import ANY

    if json:
        print(json_format.dumps(corpora_list(), indent=1, ensure_ascii=False))
        return
    facts = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    layouts = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("name", "language"):
        facts.add_column(column, no_wrap=True)
    for column in ("speakers", "utterances", "emotions"):
        facts.add_column(column, justify="right", no_wrap=True)
    facts.add_column("licence")
    layouts.add_column("name", no_wrap=True)
    layouts.add_column("corpus.root holds", overflow="fold")
    for name, reader in READERS.items():
        info = reader.info
        facts.add_row(name, info.language or ANY, *counts(info), info.licence)
        layouts.add_row(name, info.layout)
    console = Console(file=sys.stdout)
    console.print(facts)
    console.print(layouts)


def corpus(
    name: Annotated[str, typer.Argument(help="Name of the reader, such as emodb.")],
    root: Annotated[Path | None, typer.Argument(help="Root directory of the corpus.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Options, such as keep=[anger,neutral]."),
    ] = None,
    *,
    json: Json = False,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture: PNG, SVG or PDF.")] = None,
) -> None:
    """Inspect a corpus: what it holds, and problems in it."""
    from emotone import corpora
    from emotone.cli.display import counting
    from emotone.corpora import inspection
    from emotone.experiments.config import corpus_options

    read = corpora.read(corpus_options(name, root, overrides or []))
    with counting("reading audio", read.table["file"].nunique()) as advance:
        found = inspection.inspect(read, advance=advance)
    if json:
        print(json_format.dumps(found.as_dict(), indent=1, ensure_ascii=False))
    else:
        show_inspection(found)
    if plot is not None:
        from emotone.reporting.plots import draw_inspection

        draw_inspection(found, plot)


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

    typer.echo("asking the repository …", err=True)
    folder = download(name, out, version=version, repository=repository)
    typer.echo(f"{folder}: read it with corpus.name=audformat corpus.root={folder}")


def show_inspection(inspection: "Inspection") -> None:
    """Print what a corpus holds, and problems in it, to standard output."""
    from rich.console import Console

    facts = inspection.as_dict()
    console = Console(file=sys.stdout)
    hours = (facts["seconds"]["sum"] or 0) / SECONDS_PER_HOUR
    sexes = ", ".join(f"{count} {sex}" for sex, count in facts["sexes"].items())
    console.print(
        f"{facts['corpus']}: {facts['utterances']} utterances, {facts['speakers']} speakers "
        f"({sexes}), {hours:.2f} hours",
        highlight=False,
    )
    console.print(_emotions_of_speakers(facts))
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


def _emotions_of_speakers(facts: dict[str, Any]) -> "Table":
    from rich.table import Table

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
    return table
