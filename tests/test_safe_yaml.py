"""Each kind of YAML that is no configuration ends at once, in one short line."""

import time
from pathlib import Path

import pytest

from emotone import safe_yaml
from emotone.errors import UsageError

BOMB = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n" + "".join(
    f"{there}: &{there} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, there in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "its aliases stand for over 100000 values in line 6"),
        ("a: &a [*a]", "an alias of what it is in in line 1, column 8"),
        ("a: *b", "found undefined alias 'b'"),
        ("a: !!int x", "not a valid int in line 1, column 4"),
        ("a: !!timestamp 2020-99-99", "not a valid timestamp"),
        (f"a: {'9' * 5000}", "not a valid int"),
        (f"a: 0x{'f' * 5000}", "an integer of more than 64 bits"),
        ("[" * 900, "nested deeper than 50 levels"),
        ("a: 1\na: 2", "'a' is given twice in line 2"),
        (f"? {'a' * 9999}\n: 1\n? {'a' * 9999}\n: 2", "is given twice"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: \x00", "unacceptable character #x0000"),
        ("a: ]", "line 1, column 4"),
    ],
)
def test_bad_yaml_is_one_short_line(text: str, message: str) -> None:
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"^here: ") as caught:
        safe_yaml.parsed(text, "here")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 180
    assert str(caught.value).isprintable()
    assert time.monotonic() - start < 5


def test_aliases_within_the_bound_and_names_that_look_like_dates_are_read() -> None:
    text = "a: &a {x: 1, y: [2]}\nb: {<<: *a, x: 3}\nc: [*a, *a]\nd: 2024-01-01"
    one = {"x": 1, "y": [2]}
    expected = {"a": one, "b": {"x": 3, "y": [2]}, "c": [one, one], "d": "2024-01-01"}
    assert safe_yaml.parsed(text, "") == expected


def test_files_that_are_too_large_are_refused_without_reading_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * (safe_yaml.MAX_BYTES + 1))
    with pytest.raises(UsageError, match="larger than 1 MB, which no configuration is"):
        safe_yaml.read(tmp_path / "a.yaml")
