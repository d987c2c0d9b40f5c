"""``emotone audit``."""

from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.options import RESOURCES, Threshold

UTTERANCES, CHANGES = "Utterances", "Noise and rooms"  # groups of --help


def audit(
    model: Annotated[str, typer.Argument(help="Model folder, or name of a model.")],
    corpus: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME [ROOT] [KEY=VALUE]...",
            help="Corpus, as for emotone corpus; several may follow each other.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder; resumes if it holds the same audit.")],
    require: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of thresholds; exit code 1 if one is missed. By default none."
        ),
    ] = None,
    most_per_speaker: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=UTTERANCES,
            help="Utterances of each speaker, drawn at random; by default all.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=UTTERANCES,
            help="Utterances altogether, drawn at random; by default all.",
        ),
    ] = None,
    new_speakers: Annotated[
        bool,
        typer.Option(
            "--new-speakers",
            rich_help_panel=UTTERANCES,
            help="Leave out speakers that the model was trained on.",
        ),
    ] = False,
    noise: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=CHANGES, help="Folder of recorded noise; by default not tested."
        ),
    ] = None,
    rooms: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=CHANGES,
            help="Folder of impulse responses of rooms; by default not tested.",
        ),
    ] = None,
    test_half: Annotated[
        bool,
        typer.Option(
            "--test-half",
            rich_help_panel=CHANGES,
            help="Of both folders, use the files that training leaves out.",
        ),
    ] = False,
    threshold: Threshold = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**32 - 1, rich_help_panel=RESOURCES, help="Seed of all random draws."
        ),
    ] = 0,
    jobs: Annotated[
        int,
        typer.Option(
            min=1,
            rich_help_panel=RESOURCES,
            help="Number of processes; does not change the results.",
        ),
    ] = 1,
) -> None:
    """Audit a model: robustness, fairness, calibration, coverage; writes a report.

    Examples:
        emotone audit emotone-base table my-table.csv --out out/audit
        emotone audit out/model emodb FOLDER --require thresholds.yaml --out out/audit
    """
    from emotone import corpora
    from emotone.cli.progress import counting
    from emotone.cli.tables import show_audit
    from emotone.evaluation import requirements
    from emotone.experiments import audit as auditing
    from emotone.experiments.audit_selection import AuditOptions
    from emotone.experiments.corpus_arguments import several
    from emotone.inference.recognizer import load
    from emotone.reporting import audit_report

    required = requirements.read(require) if require is not None else ()
    recognizer = load(model).with_threshold(threshold)
    read = corpora.read_all(several(corpus))
    options = AuditOptions(
        most_per_speaker=most_per_speaker, limit=limit, new_speakers=new_speakers, noise=noise,
        rooms=rooms, test_half=test_half, seed=seed, jobs=jobs,
    )  # fmt: skip
    found = auditing.audit(recognizer, read, out, options, counting, required)
    show_audit(found)
    typer.echo(f"report: {audit_report.write(found, out)[0]}")
    for missed in audit_report.missed(found):
        typer.echo(f"required: {missed}", err=True)
    if not all(one.passed for one in found.requirements):
        raise typer.Exit(1)
