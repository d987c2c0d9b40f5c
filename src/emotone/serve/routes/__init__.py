"""The endpoints: each module of this folder has a ``router`` and is found by a scan."""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from emotone.serve.security import OPEN, SCHEMES


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
