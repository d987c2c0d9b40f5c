"""Recognising, serving and reporting work without PyTorch; the layers are import-linter's."""

import subprocess
import sys

import pytest

WITHOUT_TORCH = ["audio", "inference.predict", "inference.timeline", "serve.app", "corpora", "cli"]


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_this_imports_without_torch(module: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import emotone.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)
