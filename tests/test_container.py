"""The container of the service: linted, and its command run without a container engine."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import typer
import yaml

from emotone.cli.app import app
from emotone.serve.app import create
from emotone.serve.options import ServeOptions
from tests.serve.conftest import free_port

ROOT = Path(__file__).parents[1]
TOKEN = "a token of the test"


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile and what follows them."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines if line]


def last(name: str) -> str:
    return [rest for instruction, rest in instructions() if instruction == name][-1]


def loaded(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def command() -> list[str]:
    """What the container of compose.yaml runs."""
    service = loaded("compose.yaml")["services"]["emotone"]
    return [*json.loads(last("ENTRYPOINT")), *service["command"]]


def health_check() -> list[str]:
    words: list[str] = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    return words


def test_hadolint_finds_nothing() -> None:
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    hadolint = shutil.which("hadolint", path=places)
    if hadolint is None:
        pytest.skip("there is no hadolint here; it is in the extra dev")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_image_is_small_pinned_and_not_of_root() -> None:
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(set(bases)) == 1
    tag = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", bases[0])
    assert tag is not None
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert tuple(map(int, tag[1].split("."))) >= tuple(map(int, asked[2:].split(".")))
    (pip,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert '".[serve]"' in pip  # no PyTorch
    assert "--constraint constraints.txt" in pip
    user, group = last("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY"]
    files = {word for words in copied for word in words if not word.startswith(("--", "/"))}
    assert all((ROOT / name).exists() for name in files)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == files


def test_names_ports_and_routes_agree() -> None:
    compose, scrape = loaded("compose.yaml"), loaded("examples/prometheus.yml")
    service, prometheus = compose["services"]["emotone"], compose["services"]["prometheus"]
    words = command()
    assert words[:2] == ["emotone", "serve"]
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {name for parameter in serve.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    port = words[words.index("--port") + 1]
    assert last("EXPOSE") == port
    assert [one.rpartition(":")[2] for one in service["ports"]] == [port]
    routes = set(create(ServeOptions(workers=1)).openapi()["paths"])
    assert f"http://127.0.0.1:{port}/ready" in health_check()[-1]
    (job,) = scrape["scrape_configs"]
    assert {"/ready", job["metrics_path"]} <= routes
    (target,) = [one for group in job["static_configs"] for one in group["targets"]]
    assert target == f"emotone:{port}"
    assert "emotone" in [words[n + 1] for n, word in enumerate(words) if word == "--allow-host"]
    (secret,) = prometheus["secrets"]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert compose["secrets"][secret]["environment"] in service["environment"]
    assert (ROOT / compose["configs"]["scrape"]["file"]).is_file()
    assert service["read_only"] is True
    assert [one.partition(":")[0] for one in service["tmpfs"]] == [
        re.search(r"TMPDIR=(\S+)", last("ENV"))[1]  # type: ignore[index]
    ]


@pytest.mark.slow
def test_the_command_of_the_image_serves_and_its_health_check_says_so(tmp_path: Path) -> None:
    words, port = command(), str(free_port())
    for option, value in (("--port", port), ("--workers", "1")):
        words[words.index(option) + 1] = value
    (tmp_path / "uploads").mkdir()
    (tmp_path / "nothing").mkdir(mode=0o555)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path / "nothing"),
        "TMPDIR": str(tmp_path / "uploads"), "PYTHONDONTWRITEBYTECODE": "1",
        "EMOTONE_TOKEN": TOKEN,
    }  # fmt: skip
    run: dict[str, Any] = {"cwd": tmp_path / "nothing", "env": environment}
    check = [word.replace(":8000/", f":{port}/") for word in health_check()]
    check[0] = sys.executable
    assert subprocess.run(check, capture_output=True, **run).returncode != 0
    log = (tmp_path / "log").open("wb")
    with (
        log,
        subprocess.Popen([sys.executable, "-m", *words], stdout=log, stderr=log, **run) as server,
    ):
        try:
            deadline = time.monotonic() + 60
            while httpx_status(port, "/ready") != 200:
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert subprocess.run(check, **run).returncode == 0
            asked = {"Host": "emotone:8000", "Authorization": f"Bearer {TOKEN}"}
            assert httpx_status(port, "/metrics", asked) == 200
            assert httpx_status(port, "/metrics", asked | {"Host": "evil.example"}) == 421
            assert httpx_status(port, "/metrics", {"Host": "emotone:8000"}) == 401
        finally:
            server.terminate()
    assert not list((tmp_path / "nothing").iterdir())


def httpx_status(port: str, path: str, headers: dict[str, str] | None = None) -> int:
    """Status of an answer, 0 if there is none."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers).status_code
    except httpx.TransportError:
        return 0
