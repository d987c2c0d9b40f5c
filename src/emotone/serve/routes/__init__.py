"""The endpoints: each module of this folder has a ``router`` and is found by a scan."""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from emotone.serve.security import OPEN, SCHEMES

# groups of the OpenAPI document, in the order of its page
TAGS = [
    {
        "name": "Recordings",
        "description": "A recording is sent as the field `file` of a form, or as the body with a "
        "`Content-Type` of audio or video.",
    },
    {"name": "Live audio", "description": "Samples in, answers out, over a WebSocket."},
    {"name": "Models", "description": "What can recognise, and which emotions."},
    {"name": "Operation", "description": "For those who operate the server."},
]


def include(app: FastAPI, *, needs_token: bool) -> None:
    """Add all endpoints to an application.

    Args:
        app: the application.
        needs_token: whether the OpenAPI document says that the endpoints need a token.
    """
    for module in iter_modules(__path__):
        router: APIRouter = import_module(f"{__name__}.{module.name}").router
        found = [route for route in router.routes if isinstance(route, APIRoute)]
        closed = any(route.path not in OPEN for route in found)
        app.include_router(router, dependencies=SCHEMES if needs_token and closed else None)
