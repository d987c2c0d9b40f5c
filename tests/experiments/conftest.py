from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import ABLATION


@pytest.fixture
def write(make_table: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Write an ablation over a small corpus; returns its path."""
    table = make_table()

    def written(**changes: Any) -> Path:
        values = ABLATION | changes
        corpus = {"corpus": {"name": "table", "root": str(table)}}
        path = tmp_path / "ablation.yaml"
        path.write_text(yaml.safe_dump(values | {"base": corpus | values["base"]}))
        return path

    return written
