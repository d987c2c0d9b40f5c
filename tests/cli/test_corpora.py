import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emotone.corpora import READERS
from tests.helpers import emotone, one_line


def test_corpora_lists_all_readers_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = emotone("corpora")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for name, reader in READERS.items():
        facts, layout = [line.split(None, 1)[1] for line in lines if line.startswith(f" {name} ")]
        assert facts.split()[0] == (reader.info.language or "any")
        assert layout.strip() == reader.info.layout
    (emodb,) = [line for line in lines if line.startswith(" emodb ") and "German" in line]
    assert emodb.split()[:5] == ["emodb", "German", "10", "535", "7"]
    assert "free to use" in emodb


def test_corpora_as_json() -> None:
    found = json.loads(emotone("corpora", "--json").stdout)
    assert [row["name"] for row in found] == list(READERS)
    (emodb,) = [row for row in found if row["name"] == "emodb"]
    assert emodb["language"] == "German"
    assert (emodb["speakers"], emodb["utterances"], len(emodb["emotions"])) == (10, 535, 7)
    assert emodb["layout"] == "wav/03a01Fa.wav, …"
    assert emodb["licence"].startswith("free to use")


def test_corpora_are_listed_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['emotone', 'corpora']; "
        "from emotone.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "iemocap" in done.stdout


def test_corpus_prints_text_json_and_a_picture(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table()
    done = emotone("corpus", "table", table, "--plot", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    assert "16 utterances, 4 speakers" in done.stdout
    assert "problem: the sex of 4 of 4 speakers is unknown" in done.stdout
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    done = emotone("corpus", "table", table, "keep=[anger]", "--json")
    facts = json.loads(done.stdout)
    assert facts["emotions"] == {"anger": 8}
    assert emotone("corpus", table, "corpus.keep=[anger]", "--json").stdout == done.stdout
    assert (
        "8 utterances of neutral are left out because of corpus.map or corpus.keep"
        in facts["problems"]
    )


def test_names_are_shown_and_drawn_as_they_are(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table(emotions=("anger", "[b]$\\frac$"), speakers=2)
    text = table.read_text().replace("s0\n", "x[/b]\n").replace("s1\n", ":smile: $_{$\n")
    table.write_text(text)
    done = emotone("corpus", table, "--plot", tmp_path / "p.svg")
    assert done.returncode == 0, done.stderr
    assert "2 speakers (sex not known)" in done.stdout
    for name in ("x[/b]", ":smile: $_{$", "[b]$\\frac$"):
        assert name in done.stdout
    assert (tmp_path / "p.svg").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["emobd", "x"], 2, "got 'emobd'; did you mean 'emodb'?"),
        (["emodb", "gone"], 1, "the folder gone does not exist"),
        (["emodb"], 1, "no folder given"),
        (["emodb", "x", "rot=3"], 2, "unknown option 'corpus.rot'; did you mean 'root'?"),
        (["table", "gone.csv", "corpus.map={a: b}"], 1, "the file gone.csv does not exist"),
        (["gone.csv"], 1, "the file gone.csv does not exist"),
        (["emodb", "x", "corpus.corpus.map={a: b}"], 2, "'corpus.corpus'; known are name, root"),
        (["emodb", "x", "keep=[joyful]", "strict_labels=true"], 2, "unknown emotion 'joyful'"),
    ],
)
def test_bad_corpora_are_one_line(arguments: list[str], code: int, message: str) -> None:
    done = emotone("corpus", *arguments)
    assert done.returncode == code
    assert message in one_line(done)
