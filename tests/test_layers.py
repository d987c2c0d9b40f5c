"""Recognising, serving and reporting work without PyTorch; the layers are import-linter's."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

WITHOUT_TORCH = [
    "audio", "inference.predict", "inference.timeline", "serve.app", "corpora",
    "evaluation.calibration", "evaluation.results_folder", "evaluation.scoring",
    "reporting.audit_report", "reporting.call_report", "reporting.card", "reporting.database",
    "reporting.plots", "reporting.report", "experiments.audit", "experiments.corpus_arguments",
    "cli", "cli.auditing",
]  # fmt: skip


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_this_imports_without_torch(module: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import emotone.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)
