"""Names, values and numbers as text of messages: short, and safe to print."""

import re
import reprlib

SHOWN = 60  # characters of a value in a message
SINGULAR = {"are": "is", "were": "was", "have": "has", "do": "does", "end": "ends", "get": "gets"}
# what moves the cursor, changes colours or the direction of text, and halves of characters
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def encodable(name: object) -> str:
    r"""Return the text of a name; bytes that are not UTF-8, which Linux allows, as ``\udcxx``."""
    return str(name).encode("utf-8", errors="backslashreplace").decode()


def printable(text: object) -> str:
    r"""Return text for a terminal or for JSON; control characters as ``\u001b``.

    >>> print(printable("a\x1b[31m.wav"))
    a\u001b[31m.wav
    """
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def shown(value: object) -> str:
    """Return a value as Python writes it, cut to a part of a line.

    >>> shown({"epochs": 3}), len(shown([["x" * 999] * 999]))
    ("{'epochs': 3}", 60)
    """
    try:
        return shortened(reprlib.repr(value))
    except ValueError:  # an integer of thousands of digits
        return type(value).__name__


def shortened(text: str, most: int = SHOWN) -> str:
    """Cut text to a part of a line."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plural(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> plural(1, "file"), plural(2, "file")
    ('1 file', '2 files')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def agree(count: int, verb: str) -> str:
    """Return a verb as it follows a number of things.

    >>> agree(1, "are"), agree(2, "are")
    ('is', 'are')
    """
    return SINGULAR[verb] if count == 1 else verb
