import subprocess
import sys
from pathlib import Path

import pytest

from emotone.cli.app import COMMANDS
from tests.helpers import emotone, one_line


@pytest.mark.parametrize("arguments", [["crossval"], ["crossval", "x.yaml"], ["unknown"], ["--no"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    done = emotone(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert emotone("--version").stdout.strip().count(".") == 2
    for command in COMMANDS:
        done = emotone(command.__name__, "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout


def test_without_torch_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None; "
        f"sys.argv = ['emotone', 'crossval', 'demo.yaml', '--out', {str(tmp_path)!r}]; "
        "from emotone.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs the package 'torch': pip install 'emotone[train]'" in one_line(done)


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_help_loads_nothing_that_is_slow(command: str) -> None:
    code = (
        f"import sys; sys.argv = ['emotone', {command!r}, '--help']; import emotone.cli\n"
        "try: emotone.cli.main()\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'pandas', 'numpy', 'onnxruntime', 'matplotlib', 'fastapi', 'ray'}\n"
        "sys.stderr.write(', '.join(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert "Usage" in done.stdout


def test_the_package_is_a_program() -> None:
    command = [sys.executable, "-m", "emotone", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == emotone("--version").stdout
