"""Notebooks as Markdown, with the outputs that are in them."""

import base64
import json
from pathlib import Path
from typing import Any


def as_markdown(path: Path) -> tuple[str, dict[str, bytes]]:
    """Convert a notebook.

    Returns:
        The text, and the pictures by file name.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text, pictures = [], {}
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
