"""The command that searches hyper-parameters."""

from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.options import Config, Overrides
from emotone.cli.verbosity import chosen


def search(
    config: Config,
    space: Annotated[Path, typer.Argument(help="YAML file: options with their choices or ranges.")],
    overrides: Overrides = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder; resumes if it holds the same search.")],
    hours: Annotated[float | None, typer.Option(min=0, help="Time limit; by default none.")] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Number of trials; by default 50 without --hours."),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(help="Fold whose test speakers are held out; by default the first."),
    ] = None,
    inner_folds: Annotated[
        int, typer.Option(min=2, help="Groups of the other speakers, each scored in turn.")
    ] = 3,
) -> None:
    """Search options on validation speakers, resumable; writes best.yaml and a report.

    Examples:
        emotone search emodb space.yaml FOLDER --out out/search --hours 8
        emotone search my.yaml space.yaml --out out/search --trials 100
    """
    from emotone.cli.experiments import write_reports
    from emotone.cli.progress import TerminalObserver
    from emotone.experiments import search as searching
    from emotone.experiments import space as spaces
    from emotone.experiments.sources import configuration
    from emotone.reporting import search_report
    from emotone.reporting.rendering import percent
    from emotone.reporting.report import refuse_foreign_reports

    loaded = spaces.load(space, configuration(config, overrides or []))
    refuse_foreign_reports(out)
    limits = searching.Limits(trials, hours)
    with TerminalObserver() as observer:
        results = searching.search(
            loaded, out, observer, limits, fold=fold, inner_folds=inner_folds
        )
    best = results.best
    if results.impossible:
        chosen.note(results.skipped)
    typer.echo(
        f"best of {len(results.scored)} trials: trial {best.number}, validation UAR "
        f"{percent(best.uar)} %"
    )
    for name, value in best.values.items():
        typer.echo(f"  {name}: {search_report.written(value)}")
    typer.echo(f"configuration: {out / searching.BEST}")
    typer.echo(f"report: {write_reports(out)[0]}")
