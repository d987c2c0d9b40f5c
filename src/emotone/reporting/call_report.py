"""The page of a call: waveform, a lane per speaker, the table of turns, and playback."""

import base64
import json
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import soundfile

from emotone import audio
from emotone.audio import SAMPLE_RATE, Truncated
from emotone.errors import StorageError, UsageError
from emotone.files import MARK, refuse_foreign, replacing, write_text
from emotone.inference.call import Call
from emotone.inference.model import Model
from emotone.inference.timeline import peaks
from emotone.text import printable

TEMPLATE = Path(__file__).parent / "templates" / "call.html"
EMBEDDED_S = 1200.0  # longer audio is a file beside the page, which would else be too large
PEAKS = 4000  # drawn per lane
QUALITY: dict[str, Any] = {"bitrate_mode": "CONSTANT", "compression_level": 0.9}  # 24 kbit/s
COLOURS = {  # as on the server's page, see serve/page/files/emotions.js
    "fear": "#472a6d", "sadness": "#034d87", "disgust": "#476722", "anger": "#d53239",
    "calm": "#009694", "neutral": "#989ba0", "boredom": "#d8a685", "surprise": "#feb0d2",
    "happiness": "#fedb4f",
}  # fmt: skip


def check(path: Path, *, force: bool = False) -> None:
    """Check the name of a page that is to be written.

    Raises:
        UsageError: if it does not end in .html, or emotone did not make it or the audio beside it.
    """
    if path.suffix.lower() != ".html":
        raise UsageError(f"--report: expected a name ending in .html, got {path}")
    for one in (path, _beside(path)):
        refuse_foreign(one, force=force)


def write(
    call: Call,
    recording: Path,
    model: Model,
    path: Path,
    truncated: Truncated = "error",
    *,
    force: bool = False,
) -> list[Path]:
    """Write the page of a call, and its audio beside it if it is longer than 20 minutes.

    Args:
        call: what was recognised.
        recording: the file it was recognised in.
        model: which recognised it.
        path: HTML file to write. The audio beside it has its name and ends in ``.mp3``.
        truncated: see :meth:`emotone.Recognizer.predict`.
        force: overwrite files that emotone did not make.

    Returns:
        The files that were written.

    Raises:
        UsageError: see :func:`check`.
        AudioError: if the recording cannot be read.
        StorageError: if they cannot be written.
    """
    check(path, force=force)
    sound = _beside(path)
    _write_audio(recording, sound, truncated)
    values = _values(call, recording, model, truncated)
    if call.seconds <= EMBEDDED_S:
        values["embedded"] = base64.b64encode(sound.read_bytes()).decode()
        sound.unlink()
    else:
        values["beside"] = sound.name
    # as JSON within HTML: nothing in it may end the script
    text = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    write_text(path, TEMPLATE.read_text(encoding="utf-8").replace("{{DATA}}", text))
    return [path] if call.seconds <= EMBEDDED_S else [path, sound]


def colours(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each emotion; unusual ones take those that are left.

    >>> colours(["anger", "pride"])
    {'anger': '#d53239', 'pride': '#472a6d'}
    """
    left = [colour for label, colour in COLOURS.items() if label not in labels]
    spare = cycle(left or COLOURS.values())
    return {label: COLOURS.get(label) or next(spare) for label in labels}


def _beside(path: Path) -> Path:
    return path.with_suffix(".mp3")


def _values(call: Call, recording: Path, model: Model, truncated: Truncated) -> dict[str, Any]:
    tracks = [one.channel - 1 if one.channel else 0 for one in call.speakers]
    drawn = {}
    for track in sorted(set(tracks)):
        found = peaks(_lane(call, recording, track, truncated), PEAKS)
        drawn[track] = (100 * found / max(float(found.max()), 1e-3)).round().astype(int).tolist()
    values = call.to_dict()  # not rounded, as the page rounds what it shows
    for one, track in zip(values["speakers"], tracks, strict=True):
        one["track"] = track
    return values | {
        "title": printable(recording.name),
        "model": model.folder.name,
        "threshold": model.threshold,
        "labels": model.labels,
        "colours": colours(model.labels),
        "peaks": drawn,
    }


def _lane(
    call: Call, recording: Path, track: int, truncated: Truncated
) -> Iterable[audio.Waveform]:
    """Read a channel, or all as one if they were not split."""
    if any(one.channel for one in call.speakers):
        return (block[track] for block in audio.channels(recording, truncated=truncated))
    return audio.blocks(recording, truncated=truncated)


def _write_audio(recording: Path, path: Path, truncated: Truncated) -> None:
    """Write a recording as MP3, which every browser plays."""
    with replacing(path) as temporary:
        try:
            with soundfile.SoundFile(
                temporary, "w", SAMPLE_RATE, 1, format="MP3", subtype="MPEG_LAYER_III", **QUALITY
            ) as file:
                file.comment = MARK
                for piece in audio.blocks(recording, truncated=truncated):
                    file.write(piece)
        except soundfile.LibsndfileError as error:
            raise StorageError(f"cannot write {path}: {error.error_string}") from error
