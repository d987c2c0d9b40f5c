"""``emotone publish``."""

from typing import Annotated

import typer


def publish(
    model: Annotated[str, typer.Argument(help="Model folder, or name of a model.")],
    repository: Annotated[
        str, typer.Argument(metavar="ORG/NAME", help="Repository of the Hugging Face Hub.")
    ],
    *,
    private: Annotated[
        bool,
        typer.Option("--private", help="Make a new repository private; by default it is public."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="List what would be uploaded; by default it is uploaded, too."
        ),
    ] = False,
) -> None:
    """Upload a model to the Hugging Face Hub, its card with metadata.

    Examples:
        emotone publish out/model my-organisation/my-model --dry-run
        emotone publish out/model my-organisation/my-model --private
    """
    from emotone.inference.model_folder import locate
    from emotone.publishing import hub

    upload = hub.prepared(locate(model), repository)
    for name, content in upload.files.items():
        typer.echo(f"{len(content):>10,} bytes  {name}")
    if dry_run:
        typer.echo(f"nothing was uploaded to {repository}")
        return
    typer.echo(f"uploading to {repository} …")
    typer.echo(hub.publish(upload, private=private))
