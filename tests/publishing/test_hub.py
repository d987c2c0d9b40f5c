"""Uploading to a local stand-in of the Hugging Face Hub."""

import base64
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import huggingface_hub.constants
import pytest
import yaml
from typer.testing import CliRunner

from emotone.cli.app import app
from emotone.errors import EmotoneError, ModelError, UsageError
from emotone.inference.model_folder import MODELS
from emotone.publishing import hub

MODEL = MODELS / "emotone-8"
NAME = "lab/emotone-8"


class Hub(http.server.BaseHTTPRequestHandler):
    """The routes that an upload of small files uses: create, validate, preupload, commit."""

    status: ClassVar[int] = 200
    made: ClassVar[list[dict[str, Any]]] = []
    tokens: ClassVar[set[str | None]] = set()
    files: ClassVar[dict[str, bytes]] = {}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.tokens.add(self.headers["Authorization"])
        url = f"http://{self.headers['Host']}/{NAME}"
        answer: dict[str, Any] = {"error": "no"}
        status = self.status
        if status == 200 and self.path == "/api/repos/create":
            self.made.append(json.loads(body))
            answer = {"url": url}
        elif status == 200 and self.path == "/api/validate-yaml":
            assert json.loads(body)["content"].startswith("---\n")
            answer = {"errors": [], "warnings": []}
        elif status == 200 and self.path == f"/api/models/{NAME}/preupload/main":
            names = [one["path"] for one in json.loads(body)["files"]]
            regular = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            answer = {"files": [{"path": name, **regular} for name in names]}
        elif status == 200 and self.path == f"/api/models/{NAME}/commit/main":
            for line in body.splitlines():
                value = json.loads(line)["value"]
                if "content" in value:
                    self.files[value["path"]] = base64.b64decode(value["content"])
            answer = {"success": True, "commitOid": "0" * 40, "commitUrl": f"{url}/commit/0"}
        elif status == 200:
            status = 404
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    class Running(Hub):
        made: ClassVar[list[dict[str, Any]]] = []
        tokens: ClassVar[set[str | None]] = set()
        files: ClassVar[dict[str, bytes]] = {}

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Running)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    use(monkeypatch, f"http://127.0.0.1:{running.server_port}")
    yield Running
    running.shutdown()
    running.server_close()


def use(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Take an address for that of the Hub, and a token."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", address)
    monkeypatch.setenv("HF_TOKEN", "hf_test")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["publish", *arguments])


def test_the_files_of_a_model_arrive_and_no_others(server: type[Hub], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    (folder / "training").mkdir()
    (folder / "training" / "speech.wav").write_bytes(b"RIFF")
    (folder / "notes.txt").write_text("private")
    result = run(str(folder), NAME, "--private")
    assert result.exception is None, result.exception
    sent = {"README.md", "MODEL_CARD.md", "config.json", "model.onnx", "model.safetensors"}
    assert set(server.files) == sent
    for name in sent - {"README.md"}:
        assert server.files[name] == (MODEL / name).read_bytes()
        assert f"{len(server.files[name]):,} bytes  {name}" in result.stdout
    assert server.made[0]["name"] == "emotone-8"
    assert server.made[0]["organization"] == "lab"
    assert server.made[0].get("private") is True or server.made[0]["visibility"] == "private"
    assert server.tokens == {"Bearer hf_test"}
    _, head, card = server.files["README.md"].decode().split("---\n", 2)
    assert card.encode() == (MODEL / "MODEL_CARD.md").read_bytes()
    about = yaml.safe_load(head)
    assert about["license"] == "cc-by-nc-sa-4.0"
    assert about["language"] == ["eng"]
    assert about["datasets"] == ["ravdess"]
    assert about["library_name"] == "emotone"
    assert about["pipeline_tag"] == "audio-classification"
    (result,) = about["model-index"][0]["results"]
    assert f"| {result['metrics'][0]['value']}" in card


def test_a_dry_run_sends_nothing(server: type[Hub]) -> None:
    result = run("emotone-8", NAME, "--dry-run")
    assert "model.onnx" in result.stdout
    assert f"nothing was uploaded to {NAME}" in result.stdout
    assert server.made == []


@pytest.mark.parametrize(
    ("status", "said"), [(401, "hf auth login"), (403, "write access"), (404, "check the name")]
)
def test_what_the_hub_refuses_is_one_line(server: type[Hub], status: int, said: str) -> None:
    server.status = status
    with pytest.raises(ModelError, match=said) as caught:
        hub.publish(hub.prepared(MODEL, NAME))
    assert f"(HTTP {status})" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="cannot reach the Hugging Face Hub"):
        hub.publish(hub.prepared(MODEL, NAME))


@pytest.mark.parametrize("content", [None, b"", "# Card\n".encode("utf-16")])
def test_a_model_without_a_card_does_not_go_up(tmp_path: Path, content: bytes | None) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    card = tmp_path / "model" / "MODEL_CARD.md"
    card.unlink()
    if content is not None:
        card.write_bytes(content)
    with pytest.raises(ModelError, match=r"MODEL_CARD\.md is missing or cannot be read"):
        hub.prepared(tmp_path / "model", NAME)


def test_what_is_no_model_or_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        hub.prepared(tmp_path, NAME)
    with pytest.raises(UsageError, match="expected ORG/NAME"):
        hub.prepared(MODEL, "emotone-8")
    assert isinstance(run(str(tmp_path), NAME).exception, EmotoneError)
