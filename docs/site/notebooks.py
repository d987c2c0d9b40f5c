"""Notebooks: executed from a clean kernel, and as Markdown.

    python docs/site/notebooks.py

executes those of the documentation and writes them again, with their outputs.
"""

import base64
import json
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
LIMIT_S = 300  # of a cell, on a busy machine


def execute(path: Path, folder: Path) -> dict[str, Any]:
    """Execute a notebook in a new kernel, whose working directory is ``folder``.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    executed: dict[str, Any] = json.loads(nbformat.writes(notebook))
    return executed


def as_markdown(path: Path) -> tuple[str, dict[str, bytes]]:
    """Convert a notebook with the outputs that are in it.

    Returns:
        The text, and the pictures by file name.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text: list[str] = []
    pictures: dict[str, bytes] = {}
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            text.append(source)
            continue
        text.append(f"```python\n{source}\n```")
        for place, output in enumerate(cell["outputs"]):
            data: dict[str, Any] = output.get("data", {})
            if "image/png" in data:
                name = f"{path.stem}-{number}-{place}.png"
                pictures[name] = base64.b64decode("".join(data["image/png"]))
                text.append(f"![output of the cell above]({name})")
            else:
                printed = "".join(output.get("text", data.get("text/plain", "")))
                text.append(f"```text\n{printed.rstrip()}\n```")
    return "\n\n".join(text) + "\n", pictures


if __name__ == "__main__":
    import tempfile

    for each in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as temporary:
            executed = execute(each, Path(temporary))
        each.write_text(json.dumps(executed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
