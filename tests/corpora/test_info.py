import subprocess
import sys

import pytest

from emotone.corpora import READERS, info

DOCSTRING = """TOY, a corpus for tests.

    ``a_01.wav`` is emotion and speaker.
    A second line.

    Another paragraph: not a field.

    Citation: Author, "A Title that is longer than
        one line", Some Conference 2020
    Licence: CC0
    Home page: https://example.org/toy
    Language: Old Norse (non)
    Speakers: 2
    Utterances: 1200
    Emotions: anger, neutral
    Layout: wav/a_01.wav, …
    """


def test_a_docstring_gives_title_description_and_fields() -> None:
    assert info.parse(DOCSTRING) == info.CorpusInfo(
        title="TOY, a corpus for tests",
        description=(
            "``a_01.wav`` is emotion and speaker.\nA second line.\n\n"
            "Another paragraph: not a field."
        ),
        citation='Author, "A Title that is longer than one line", Some Conference 2020',
        licence="CC0",
        home_page="https://example.org/toy",
        language="Old Norse",
        language_code="non",
        speakers=2,
        utterances=1200,
        emotions=("anger", "neutral"),
        layout="wav/a_01.wav, …",
    )


def test_any_stands_for_what_is_not_fixed() -> None:
    text = "T.\n\nLicence: none\nLanguage: any\nSpeakers: any\nUtterances: any\nEmotions: any\n"
    found = info.parse(text + "Layout: x")
    assert found.title == "T"
    assert (found.language, found.language_code, found.citation, found.home_page) == ("",) * 4
    assert (found.speakers, found.utterances, found.emotions) == (None, None, ())
    assert found.description == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Licence: CC0", "License: CC0", "add the fields Licence, such as"),
        ("Speakers: 2", "Speakers: two", "Speakers must be a number or 'any', got 'two'"),
        ("(non)", "", r"Language must be like 'German \(deu\)', got 'Old Norse'"),
    ],
)
def test_malformed_docstrings_are_errors(old: str, new: str, message: str) -> None:
    assert old in DOCSTRING
    with pytest.raises(ValueError, match=message):
        info.parse(DOCSTRING.replace(old, new))


def test_readers_know_their_corpus_without_docstrings() -> None:
    code = "from emotone.corpora import READERS; print(READERS['emodb'].info, __debug__)"
    done = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == f"{READERS['emodb'].info} False"
