"""Who may use the service."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

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
    odd: list[Any] = [{"Authorization": "Basic ÿ".encode("latin-1")}]
    for headers in wrong + odd:
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


def test_the_service_answers_to_its_names_only(client: TestClient) -> None:
    def status(host: str) -> int:
        code: int = client.get("/v1/models", headers={"Host": host}).status_code
        return code

    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:8000", "192.168.1.5", "[::1]:8000"):
        assert status(host) == 200, host
    for host in ("attacker.example", "attacker.example:8000", "localhost.attacker.example", "[x"):
        assert status(host) == 421, host
    foreign = client.get("/v1/models", headers={"Host": "attacker.example"})
    message = error_of(foreign, 421, "foreign")
    assert message == "this server is not known as 'attacker.example'"
    assert client.get("/health", headers={"Host": "a-probe"}).status_code == 200


def test_pages_of_other_servers_are_refused(client: TestClient) -> None:
    foreign, null = {"Origin": "https://attacker.example"}, {"Origin": "null"}
    for headers in (foreign, null):
        refused = client.post("/v1/predict", files={"file": b""}, headers=headers)
        assert "may not use this server" in error_of(refused, 403, "foreign")
        assert closed(client, headers)[0] == 1008
    assert closed(client, foreign)[1] == "pages of https://attacker.example may not use this server"
    assert closed(client, {"Host": "x.example"})[1] == "this server is not known as 'x.example'"
    assert closed(client, {"Origin": "http://localhost"}) == (1000, "done")
    assert closed(client, {}) == (1000, "done")


def test_names_and_origins_can_be_allowed(folder: Path) -> None:
    options = ServeOptions(
        models=(str(folder),), workers=1, hosts=("speech.example",), origins=("https://a.example/",)
    )
    with TestClient(create(options)) as client:
        allowed = {"Host": "Speech.example", "Origin": "https://a.example"}
        assert closed(client, allowed) == (1000, "done")
        assert closed(client, allowed | {"Origin": "https://b.example"})[0] == 1008
        assert client.get("/v1/models", headers={"Host": "testserver"}).status_code == 421


def closed(client: TestClient, headers: dict[str, str]) -> tuple[int, str]:
    """How a stream without audio ends."""
    with (
        pytest.raises(WebSocketDisconnect) as end,
        client.websocket_connect("/v1/stream?rate=16000", headers=headers) as socket,
    ):
        socket.send_text("end")
        socket.receive_text()
    return end.value.code, end.value.reason


def test_the_page_runs_no_script_but_its_own(client: TestClient) -> None:
    for path in ("/", "/docs", "/page/page.js", "/v1/models", "/nothing"):
        headers = client.get(path).headers
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert headers["x-content-type-options"] == "nosniff"
