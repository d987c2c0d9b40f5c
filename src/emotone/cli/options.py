"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Argument(help="Configuration file, such as experiments/emodb.yaml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Options, such as training.epochs=20."),
]
ResultsOut = Annotated[
    Path, typer.Option("--out", help="Results folder; resumes if it holds the same experiment.")
]
ModelOut = Annotated[
    Path,
    typer.Option("--out", help="Model folder; resumes if the same training was started in it."),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1,
        help="Probability from which an answer is confident; by default that of the model.",
    ),
]  # fmt: skip
OnCluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="auto|ray://HOST:PORT", help="Run on a Ray cluster."),
]
