"""Who may use the service."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.helpers import (
    LOCAL,
    error_of,
)


def test_a_token_is_asked_for(folder: Path) -> None:
    options = ServeOptions(models=(str(folder),), workers=1, token="a long secret")
    with TestClient(create(options), headers=LOCAL) as client:
        assert client.get("/health").status_code == 200
        error_of(client.get("/v1/models"), 401, "unauthorized")
        wrong = {"Authorization": "Bearer wrong"}
        error_of(client.post("/v1/predict", content=b"x", headers=wrong), 401, "unauthorized")
        right = {"Authorization": "Bearer a long secret"}
        assert client.get("/v1/models", headers=right).status_code == 200


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[TestClient]:
    """A service with a token that is not ASCII."""
    options = ServeOptions(models=(str(folder),), workers=1, token="langes Geheimnis ß")
    with TestClient(create(options), headers=LOCAL) as client:
        yield client


def basic(text: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


def test_a_browser_may_send_the_token_as_password(guarded: TestClient) -> None:
    right = basic("anyone:langes Geheimnis ß".encode())
    assert guarded.get("/v1/models", headers=right).status_code == 200
    wrong = [basic(b"anyone:wrong"), basic(b"no colon"), basic(b"\xff\xfe:x"), {}]
    wrong += [{"Authorization": text} for text in ("Basic %%%", "Basic", "Bearer", "Digest x", "")]
    for headers in wrong:
        refused = guarded.get("/v1/models", headers=headers)
        error_of(refused, 401, "unauthorized")
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="emotone", charset="UTF-8"'


def test_everything_but_health_needs_the_token(guarded: TestClient) -> None:
    paths = ("/", "/docs", "/openapi.json", "/metrics", "/page/samples/happiness.flac", "/nothing")
    for path in paths:
        error_of(guarded.get(path), 401, "unauthorized")
    for path in ("/health", "/ready"):
        assert guarded.get(path).status_code == 200


def test_the_token_is_checked_before_the_body_is_read(guarded: TestClient) -> None:
    received: list[object] = []

    async def ask() -> None:
        async def receive() -> dict[str, Any]:
            received.append("body")
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            received.append(message.get("status"))

        scope = {
            "type": "http", "method": "POST", "path": "/v1/predict", "query_string": b"",
            "headers": [(b"content-type", b"audio/wav")], "app": guarded.app,
        }  # fmt: skip
        await guarded.app(scope, receive, send)

    asyncio.run(ask())
    assert received == [401, None]


def test_the_openapi_document_declares_the_token(guarded: TestClient, client: TestClient) -> None:
    right = basic("anyone:langes Geheimnis ß".encode())
    document = guarded.get("/openapi.json", headers=right).json()
    schemes = document["components"]["securitySchemes"]
    assert {name: scheme["scheme"] for name, scheme in schemes.items()} == {
        "HTTPBearer": "bearer", "HTTPBasic": "basic",
    }  # fmt: skip
    either: list[dict[str, list[str]]] = [{"HTTPBearer": []}, {"HTTPBasic": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            needed = None if path in ("/health", "/ready") else either
            assert operation.get("security") == needed, path
    without = client.get("/openapi.json").json()
    assert "securitySchemes" not in without["components"]
    assert set(without["paths"]) == set(document["paths"])
