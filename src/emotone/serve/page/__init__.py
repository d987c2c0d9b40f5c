"""The web page at ``/`` and the description of the interface at ``/docs``.

Both are files of this folder, without a script or style of their own in the page, so that the
browser may be told to run nothing else. ``page.js`` uses the service's REST interface, so one set
of limits applies to all audio.
"""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

FILES = Path(__file__).parent / "files"
SWAGGER = Path(fastapi_offline.__file__).parent / "static"  # its script and style
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def mount(app: FastAPI) -> None:
    """Add the page, the documentation and their files to an application."""

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(FILES / "page.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(FILES / "docs.html")

    app.mount("/page/swagger", StaticFiles(directory=SWAGGER))
    app.mount("/page", StaticFiles(directory=FILES))
