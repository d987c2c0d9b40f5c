"""The notebooks run from a clean kernel, without network or corpora, and are committed as run."""

import json
import os
import re
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.helpers import script

pytest.importorskip("nbclient", reason="needs the extra docs: nbclient")
pytest.importorskip("ipykernel", reason="needs the extra docs: ipykernel")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAMES = ["recognise", "train"]
# refuses connections to other machines, in the kernel and in the processes that it starts
OFFLINE = """
import socket

connect = socket.socket.connect


def refuse(self, address):
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"the notebook asked {address}")
    return connect(self, address)


socket.socket.connect = refuse
"""


def notebooks() -> ModuleType:
    return script(ROOT / "docs" / "site" / "notebooks.py")


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def kinds(cell: dict[str, Any]) -> list[tuple[str, ...]]:
    """What each output of a cell is, whatever its figures."""
    return [(one["output_type"], *sorted(one.get("data", {}))) for one in cell["outputs"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_offline_from_a_clean_kernel(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "offline").mkdir()
    (tmp_path / "offline" / "sitecustomize.py").write_text(OFFLINE, encoding="utf-8")
    before = os.environ.get("PYTHONPATH")
    paths = [str(tmp_path / "offline"), *([before] if before else [])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    work = tmp_path / "work"
    work.mkdir()
    path = notebooks().NOTEBOOKS / f"{name}.ipynb"
    committed = json.loads(path.read_text(encoding="utf-8"))
    executed = notebooks().execute(path, work)
    assert [kinds(cell) for cell in code_cells(executed)] == [
        kinds(cell) for cell in code_cells(committed)
    ]
    text = json.dumps(executed)
    assert "image/png" in text
    if name == "recognise":
        assert "the same as above: True" in text
    else:
        printed = "".join(code_cells(executed)[2]["outputs"][0]["text"])
        (uar,) = re.findall(r"UAR (\d+) % \[", printed)
        assert int(uar) > 35  # chance is 25


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_as_it_was_run(name: str) -> None:
    path = notebooks().NOTEBOOKS / f"{name}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell["outputs"] for cell in cells)
    text = json.dumps(notebook)
    assert "audio/" not in text
    assert '"error"' not in text
    assert str(Path.home()) not in text
    assert tempfile.gettempdir() not in text


def test_a_notebook_becomes_a_page_with_its_pictures() -> None:
    text, pictures = notebooks().as_markdown(notebooks().NOTEBOOKS / "recognise.ipynb")
    assert text.startswith("# Notebook: recognise")
    assert pictures
    assert all(f"]({name})" in text for name in pictures)
    assert all(data.startswith(b"\x89PNG") for data in pictures.values())
