"""The service as an ASGI application: the endpoints of ``routes``, ``/docs`` and the page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from emotone import __version__
from emotone.inference import model_folder
from emotone.serve import page, routes
from emotone.serve.errors import add_handlers
from emotone.serve.middleware import Middleware
from emotone.serve.options import ServeOptions
from emotone.serve.service import Service

DESCRIPTION = """\
Speech emotion recognition. Answers are JSON. Errors have a `code` for programs, and a `message` and
a `hint` for people; those with status 429 or 503 have the header `Retry-After` with a number of
seconds. [Try it in the browser](./)."""


def create(options: ServeOptions | None = None) -> FastAPI:
    """Make the application.

    Args:
        options: limits and models.

    Raises:
        ModelError: if there is no such model.
    """
    options = options or ServeOptions()
    for name in options.models:
        model_folder.read(model_folder.locate(name))
    service = Service(options)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        yield
        await asyncio.to_thread(service.stop)

    app = FastAPI(
        docs_url=None, redoc_url=None, title="emotone", version=__version__, lifespan=lifespan,
        description=DESCRIPTION, openapi_tags=routes.TAGS,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.service = service
    routes.include(app, needs_token=options.token is not None)
    page.mount(app)
    app.add_middleware(Middleware, service=service)
    add_handlers(app)
    return app
