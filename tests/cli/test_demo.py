import subprocess
import sys
from pathlib import Path

import pytest

from emotone.evaluation.results_folder import ResultsFolder

pytestmark = pytest.mark.slow


def test_the_demo_passes_80_percent_on_its_synthetic_speech(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    asked = [sys.executable, "-m", "emotone", "demo", "--out", str(out)]
    done = subprocess.run(asked, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "synthetic speech" in done.stdout
    *_, report, then, command = done.stdout.splitlines()
    assert report == f"report: {out / 'report.html'}"
    assert then.startswith("next: open this page")
    assert command.split()[:2] == ["emotone", "crossval"]
    assert ResultsFolder(out).results().scores.uar.mean > 0.80
