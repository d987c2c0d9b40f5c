import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emotone.cli.app import COMMANDS
from tests.helpers import emotone, wav

PROGRAM = [sys.executable, "-m", "emotone"]
PATIENCE_S = 60
STARTED_S = 0.1  # of a processor, after which Python itself has started on a machine however busy


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ran(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [*PROGRAM, *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sends signals as Linux does")
@pytest.mark.parametrize(
    ("arguments", "moments", "says"),
    [
        (["predict", "-"], (0.1, 0.5, 1.5), "stopped\n"),
        (["corpus", "table", "TABLE"], (0.1, 0.4), "stopped\n"),
        (["demo", "--out", "OUT"], (0.1, 2, 4), "stopped; run the same command again to"),
        (["serve", "--port", "0", "--workers", "1"], (0.1, 2), "stopped\n"),
    ],
)
def test_ctrl_c_says_so_at_every_moment(
    make_table: Callable[..., Path],
    tmp_path: Path,
    arguments: list[str],
    moments: tuple[float, ...],
    says: str,
) -> None:
    places = {"TABLE": str(make_table()), "OUT": str(tmp_path / "out")}
    command = [*PROGRAM, *(places.get(argument, argument) for argument in arguments)]
    for moment in moments:
        process = subprocess.Popen(
            command, start_new_session=True, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        time.sleep(moment)
        while process.poll() is None and cpu_seconds(process.pid) < STARTED_S:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to workers, too
        process.wait(PATIENCE_S)  # while its standard input is open
        error = process.communicate()[1]
        assert process.returncode == 130, (moment, error)
        assert says in error
        assert "Traceback" not in error


def test_a_terminal_without_unicode_gets_ascii(tmp_path: Path) -> None:
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = ran("corpora", "--json", env=ascii_only, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert "wav/03a01Fa.wav, ..." in [row["layout"] for row in json.loads(done.stdout)]
    (tmp_path / "é–😀.wav").write_bytes(wav())
    command = ("predict", tmp_path, "--model", "emotone-8", "--json")
    done = ran(*command, env=ascii_only, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["file"]).name == "é-😀.wav"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_and_a_closed_output_are_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = ran("corpora", stdout=full)
    assert done.returncode == 1
    assert done.stderr == "error: cannot read or write the output: No space left on device\n"
    closed = subprocess.run(
        f"{sys.executable} -m emotone corpora >&-", shell=True, capture_output=True, text=True
    )
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "2> >(true)"])
@pytest.mark.parametrize(("arguments", "code"), [("corpora", 0), ("predict gone.wav", 1)])
def test_messages_that_nobody_takes_do_not_change_the_exit_code(
    where: str, arguments: str, code: int
) -> None:
    command = f"{sys.executable} -m emotone {arguments} {where}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == code
    assert "gone.wav" not in done.stdout  # errors do not go to standard output instead


def test_what_libraries_print_is_not_in_the_output() -> None:
    code = (
        "import os, subprocess, sys\n"
        "from emotone.cli.terminal import standard_output_is_ours\n"
        "with standard_output_is_ours():\n"
        "    os.write(1, b'a library\\n')\n"
        "    subprocess.run(['echo', 'a program'])\n"
        "    print('ours')\n"
        "    sys.stdout.flush()\n"
        "os.write(1, b'after\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ours\nafter\n"
    assert done.stderr == "a library\na program\n"


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_h_is_help(command: str) -> None:
    done = emotone(command, "-h")
    assert done.returncode == 0
    assert done.stdout == emotone(command, "--help").stdout
    assert "-h, --help" in done.stdout
