import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import emotone, one_line


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
    assert (
        "8 utterances of neutral are left out because of corpus.map or corpus.keep"
        in facts["problems"]
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["emobd", "x"], 2, "got 'emobd'; did you mean 'emodb'?"),
        (["emodb", "gone"], 1, "the folder gone does not exist"),
        (["emodb"], 1, "no root given"),
        (["emodb", "x", "rot=3"], 2, "unknown option 'corpus.rot'; did you mean 'root'?"),
        (["emodb", "x", "keep=[joy]"], 2, "unknown emotion 'joy'"),
    ],
)
def test_bad_corpora_are_one_line(arguments: list[str], code: int, message: str) -> None:
    done = emotone("corpus", *arguments)
    assert done.returncode == code
    assert message in one_line(done)
