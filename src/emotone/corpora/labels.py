"""Names in corpora: emotions, their other names, and how a name is written."""

import unicodedata

from emotone.options import nearest

EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)

ALIASES = {
    "angry": "anger",
    "bored": "boredom",
    "boredem": "boredom",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "joy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}

INVISIBLE = "\u200b\u2060\ufeff"  # zero-width spaces and the byte-order mark


def canonical(label: str) -> str | None:
    """Return emotone's name of the emotion that a corpus calls ``label``, if it is known."""
    name = label.strip().lower()
    name = ALIASES.get(name, name)
    return name if name in EMOTIONS else None


def unknown(emotion: str) -> str:
    """Say that a label is unknown, and what is known."""
    return (
        f"unknown emotion '{emotion}'{nearest(emotion, EMOTIONS)}; known emotions are "
        f"{', '.join(EMOTIONS)}"
    )


def normalised(name: str) -> str:
    """Return a name in Unicode's form NFC, with single spaces within it and none around it."""
    visible = "".join(char for char in name if char not in INVISIBLE)
    return " ".join(unicodedata.normalize("NFC", visible).split())
