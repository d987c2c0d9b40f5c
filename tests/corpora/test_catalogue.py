import json
import re
from pathlib import Path

from emotone.corpora import READERS, catalogue

ROOT = Path(__file__).parents[2]


def row_of(name: str) -> list[str]:
    (line,) = [
        line for line in catalogue.corpora_table().splitlines() if line.startswith(f"| `{name}` ")
    ]
    return line.strip("| ").split(" | ")


def test_the_table_has_a_row_per_reader() -> None:
    lines = catalogue.corpora_table().strip().splitlines()
    assert [re.sub(r"^\| `(\w+)` .*", r"\1", line) for line in lines[2:]] == list(READERS)
    assert {line.count(" | ") for line in lines} == {7}
    assert row_of("cremad") == [
        "`cremad`",
        "[CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset]"
        "(https://github.com/CheyneyComputerScience/CREMA-D)",
        "English",
        "91",
        "7,442",
        "6",
        "Open Database License",
        "AudioWAV/1001_DFA_ANG_XX.wav, …",
    ]
    assert row_of("table")[1:6] == [READERS["table"].info.title, "any", "any", "any", "any"]


def test_the_page_has_a_section_per_reader() -> None:
    page = catalogue.corpora_page()
    assert re.findall(r"^## `(\w+)`$", page, re.M) == list(READERS)
    section = page.partition("## `tess`")[2].partition("## ")[0]
    assert "Pichora-Fuller & Dupuis" in section
    assert "- Language: English (`eng`)\n- Speakers: 2\n- Utterances: 2,800\n" in section
    assert "``" not in page
    assert "Citation" not in page.partition("## `table`")[2].partition("## ")[0]


def test_json_has_numbers_lists_and_null() -> None:
    facts = {row["name"]: row for row in json.loads(json.dumps(catalogue.corpora_list()))}
    assert list(facts) == list(READERS)
    assert facts["urdu"]["speakers"] == 38
    assert facts["urdu"]["language_code"] == "urd"
    assert facts["urdu"]["emotions"] == ["anger", "happiness", "neutral", "sadness"]
    assert facts["table"]["utterances"] is None
    assert facts["table"]["home_page"] is None


def test_the_docs_are_current() -> None:
    """Else run ``python results/tables.py``."""
    assert catalogue.corpora_table() in catalogue.corpora_page()
    assert (ROOT / "docs" / "corpora.md").read_text("utf-8") == catalogue.corpora_page()
