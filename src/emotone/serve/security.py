"""The token of the service: a bearer token, or the password that a browser asks for."""

import binascii
import hmac
from base64 import b64decode

from fastapi import Security
from fastapi.security import HTTPBasic, HTTPBasicCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection

OPEN = ("/health", "/ready")  # paths that need no token
CHALLENGE = 'Basic realm="emotone", charset="UTF-8"'  # makes browsers ask for a password


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
        except (binascii.Error, UnicodeDecodeError):
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
