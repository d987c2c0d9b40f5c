import subprocess
import sys
from pathlib import Path

import pytest

from emotone.evaluation.results_folder import ResultsFolder

pytestmark = pytest.mark.slow


def test_the_demo_passes_80_percent_on_its_synthetic_speech(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "emotone", "demo", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "synthetic speech" in done.stdout
    assert ResultsFolder(out).results().scores.uar.mean > 0.80
