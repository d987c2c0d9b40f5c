"""Who may use the service: its token, the names it goes by, and web pages of other servers.

The token is a bearer token, or the password that a browser asks for.
"""

import hmac
from base64 import b64decode
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import HTTPBasic, HTTPBasicCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

from emotone.serve.errors import RefusedError
from emotone.serve.options import ServeOptions

OPEN = ("/health", "/ready")  # paths that need no token


class Utf8Basic(HTTPBasic):
    """Basic authentication with passwords in UTF-8; FastAPI's own decodes ASCII only."""

    async def __call__(  # type: ignore[override]
        self, request: HTTPConnection
    ) -> HTTPBasicCredentials | None:
        """Return the credentials of a request, if there are usable ones."""
        scheme, given = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = b64decode(given).decode().partition(":")
        except ValueError:  # not ASCII, not Base64, or not UTF-8
            return None
        return HTTPBasicCredentials(username=name, password=password)


BEARER = HTTPBearer(auto_error=False, description="The token of the service.")
BASIC = Utf8Basic(
    auto_error=False, scheme_name="HTTPBasic", description="The token as password, with any name."
)
# declares the schemes in the OpenAPI document; the middleware checks the token
SCHEMES = [Security(BEARER), Security(BASIC)]


async def token_in(connection: HTTPConnection) -> str:
    """Return the token that a client sent; empty if there is none."""
    if (bearer := await BEARER(connection)) is not None:
        return bearer.credentials
    basic = await BASIC(connection)
    return "" if basic is None else basic.password


def is_allowed(token: str | None, given: str) -> bool:
    """Compare a client's token with that of the service, in constant time."""
    return token is None or hmac.compare_digest(given.encode(), token.encode())


def check_host(connection: HTTPConnection, options: ServeOptions) -> None:
    """Refuse a request that addresses the service by a foreign name.

    A page of another server whose name is made to lead here (DNS rebinding) is thereby kept out;
    one cannot do that with an IP address.

    Raises:
        RefusedError: with status 421.
    """
    given = connection.headers.get("host", "localhost")
    name = _host_of(f"//{given}")
    if "*" in options.hosts or name in {"localhost"} | _lower(options.hosts):
        return
    try:
        ip_address(name)
    except ValueError:
        message = f"this server is not known as {name or given!r}"
        raise RefusedError(421, "foreign", message) from None


def check_origin(connection: HTTPConnection, options: ServeOptions) -> None:
    """Refuse a request of a web page that is not of this service; programs send no ``Origin``.

    Raises:
        RefusedError: with status 403.
    """
    origin = connection.headers.get("origin")
    if origin is None or "*" in options.origins or origin.lower() in _lower(options.origins):
        return
    try:
        own = urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower()
    except ValueError:
        own = False
    if not own:
        raise RefusedError(403, "foreign", f"pages of {origin[:60]} may not use this server")


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _lower(names: tuple[str, ...]) -> set[str]:
    return {name.lower().rstrip("/") for name in names}
