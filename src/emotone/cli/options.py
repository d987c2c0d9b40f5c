"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

MODEL, RESOURCES, OUTPUT = "Model", "Resources", "Output"  # groups of --help

Config = Annotated[
    str,
    typer.Argument(
        help="Configuration file, or a shipped one such as emodb; table of your files, emotions "
        "and speakers; or name of a corpus."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ROOT] [KEY=VALUE]...",
        help="Root directory of the corpus, and options such as training.epochs=20.",
    ),
]
ResultsOut = Annotated[
    Path,
    typer.Option(
        "--out",
        help="Results folder; resumes if it holds the same experiment, or fewer seeds of it.",
    ),
]
ModelOut = Annotated[
    Path,
    typer.Option("--out", help="Model folder; resumes if the same training was started in it."),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, rich_help_panel=MODEL,
        help="Probability from which an answer is confident; by default that of the model.",
    ),
]  # fmt: skip
Only = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL,LABEL,...", rich_help_panel=MODEL,
        help="Emotions to choose among, such as anger,neutral; by default all of the model.",
    ),
]  # fmt: skip
Force = Annotated[
    bool,
    typer.Option("--force", help="Overwrite files, also those that emotone did not make."),
]
OnCluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="auto|ray://HOST:PORT", rich_help_panel=RESOURCES,
        help="Run on a Ray cluster; by default on this machine.",
    ),
]  # fmt: skip
