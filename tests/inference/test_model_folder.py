"""Model folders: what they hold, where they are found, and which are refused."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import onnx
import pytest
import soundfile

from emotone.errors import ModelError
from emotone.inference import model_folder
from emotone.inference.recognizer import Recognizer, load
from tests.helpers import voice


def test_a_model_folder_holds_what_the_design_says(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()} - {".lock"}
    networks = {"model.onnx", "model.safetensors"}
    assert names == {"config.json", "MODEL_CARD.md", "fingerprints.bin"} | networks
    config = model_folder.read(folder)
    assert config.labels == ("anger", "neutral")
    assert config.training["utterances"] == 8
    assert "8 " in (folder / "MODEL_CARD.md").read_text()
    assert str(folder.parent) not in (folder / "config.json").read_text()


def broken(folder: Path, tmp_path: Path, change: Callable[[Path], object]) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    change(copy)
    return copy


def edited(**changes: Any) -> Callable[[Path], object]:
    def change(copy: Path) -> None:
        path = copy / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (lambda copy: (copy / "config.json").unlink(), "is not a model folder: no readable config"),
    (lambda copy: (copy / "config.json").write_text("{"), "is not JSON"),
    (
        lambda copy: (copy / "config.json").write_text("{}"),
        "is not the configuration of an emotone model",
    ),
    (edited(format=99), "a model of format 99, this emotone reads up to 1; upgrade"),
    (edited(labels=["anger"]), r"labels: .*, got \['anger'\]; the model folder is damaged"),
    (edited(colour=1), r"config\.json: unknown option 'colour'; known are .*folder is damaged"),
    (edited(temprature=1), "unknown option 'temprature'; did you mean 'temperature'"),
    (
        edited(training={"corpora": ["a"], "languages": 5}),
        "training: .*languages must be a list of names",
    ),
    (lambda copy: (copy / "model.onnx").unlink(), "cannot read it"),
    (lambda copy: (copy / "model.onnx").write_bytes(b"x"), r"SHA-256 differs"),
    (edited(sha256={"model.onnx": "0"}), r"SHA-256 differs"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_broken_folders_are_refused(
    folder: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Recognizer(broken(folder, tmp_path, change))


def test_a_model_with_other_inputs_is_refused(folder: Path, tmp_path: Path) -> None:
    kind = onnx.TensorProto.FLOAT
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["image"], ["logits"])],
        "other", [value("image", kind, [1, 2])], [value("logits", kind, [1, 2])],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 20)]
    data = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()

    def change(copy: Path) -> None:
        (copy / "model.onnx").write_bytes(data)
        edited(sha256={"model.onnx": hashlib.sha256(data).hexdigest()})(copy)

    with pytest.raises(ModelError, match="the inputs waveform, lengths of any size, got image"):
        Recognizer(broken(folder, tmp_path, change))


def test_models_are_found_by_folder_and_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_folder.locate(folder) == folder
    assert model_folder.locate(str(folder)) == folder
    with pytest.raises(ModelError, match="nor a model that ships with emotone"):
        model_folder.locate("emotone-bass")
    with pytest.raises(ModelError, match="is not a model folder"):
        Recognizer("gone")


class Hub(BaseHTTPRequestHandler):
    """As much of the Hugging Face Hub as a download of one model needs."""

    folder: Path

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        sha = "0" * 40
        files = sorted(self.folder.glob("[!.]*"))
        if path.startswith("/api/models/lab/voices/tree/"):
            tree = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": sha}
                for file in files
            ]
            body = json.dumps(tree).encode()
        elif path.startswith("/api/models/lab/voices"):
            names = [{"rfilename": file.name} for file in files]
            body = json.dumps({"id": "lab/voices", "sha": sha, "siblings": names}).encode()
        elif path.startswith("/lab/voices/resolve/"):
            body = (self.folder / Path(path).name).read_bytes()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", sha)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_a_model_of_the_hub_is_downloaded_once(folder: Path, tmp_path: Path) -> None:
    wav = str(tmp_path / "a.wav")
    soundfile.write(wav, voice(0, 2.5), 16_000)
    handler = type("Handler", (Hub,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }

    def predict(model: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "emotone", "predict", wav, "--json", "--model", model]
        return subprocess.run(
            command, env=environment | changes, cwd=tmp_path, capture_output=True, text=True
        )

    first = predict("lab/voices")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["label"] == load(folder).predict(wav).label
    missing = predict("lab/nothing")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: lab/nothing: no such folder here, and not available")
    server.shutdown()
    server.server_close()
    offline = predict("lab/voices", HF_HUB_OFFLINE="1")
    assert offline.stdout == first.stdout
