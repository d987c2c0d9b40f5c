"""What made an output of predictions: a record beside it, which is also its lock.

``answers.csv`` has ``answers.csv.emotone.json``, an object with ``written_by``, ``format`` and
``settings``. The settings are all that the answers depend on apart from the audio files: whether an
output is continued depends on them alone. They do not name the version of emotone.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emotone.audio import Truncated
from emotone.errors import UsageError
from emotone.files import locked, refuse_foreign, suppress_os_errors
from emotone.inference import model_folder
from emotone.inference.manner import Manner
from emotone.inference.recognizer import Recognizer
from emotone.inference.speaker import fingerprint
from emotone.options import differences

SUFFIX = ".emotone.json"
WRITER, FORMAT = "emotone predict", 1


def settings_of(
    recognizer: Recognizer,
    manner: Manner | None = None,
    truncated: Truncated = "error",
    embedding: int = 0,
) -> dict[str, Any]:
    """Return what answers depend on, apart from the audio.

    Args:
        recognizer: the recogniser.
        manner: how files are recognised; ``None`` as a whole.
        truncated: see :meth:`emotone.Recognizer.predict`.
        embedding: size of the embeddings, 0 if there are none.
    """
    config = recognizer.config
    heard = [config.sha256[model_folder.ONNX], config.features, config.temperature]
    further: dict[str, Any] = {}
    if config.dimensions:
        further["dimensions"] = list(config.dimensions)
    if recognizer.offsets is not None:
        further["neutral"] = [round(float(value), 6) for value in recognizer.offsets]
    return (
        further
        | {
            "model": fingerprint(json.dumps(heard, sort_keys=True)),
            "labels": list(recognizer.labels),
            "threshold": recognizer.threshold,
            "speaker": recognizer.speaker and recognizer.speaker.fingerprint,
            "segments": False,
            "window": None,
            "hop": None,
            "truncated": truncated,
            "embedding": embedding,
        }
        | (manner.settings() if manner else {})
    )


@contextmanager
def reserved(
    output: Path, parts: Collection[Path], settings: Mapping[str, Any], *, force: bool
) -> Iterator[None]:
    """Reserve an output for this process and these settings while the block runs.

    Args:
        output: file of the predictions.
        parts: files that hold its answers, before and after it is finished.
        settings: from :func:`settings_of`.
        force: start anew, whatever ``output`` holds.

    Raises:
        UsageError: if another process is writing to it, it was made with other settings, or not by
            ``emotone predict``; nothing is changed then.
        StorageError: if it cannot be written.
    """
    record = output.with_name(f"{output.name}{SUFFIX}")
    for path in (record, *parts):
        refuse_foreign(path, lambda _: _settings(record) is not None, force=force)
    with locked(record, output, "file") as file:
        if force:
            for path in parts:
                path.unlink(missing_ok=True)
        elif any(path.exists() for path in parts):
            _refuse_others(output, _settings(record), settings)
        if _settings(record) != settings:
            whole = {"written_by": WRITER, "format": FORMAT, "settings": settings}
            file.truncate(0)
            file.write(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
            file.flush()
        yield


def _refuse_others(output: Path, found: dict[str, Any] | None, settings: Mapping[str, Any]) -> None:
    if found is not None and (differing := differences(found, settings)):
        raise UsageError(
            f"{output} was made with other settings ({'; '.join(differing)}); nothing was "
            "changed. Choose another file, or --force to start anew"
        )


def _settings(record: Path) -> dict[str, Any] | None:
    """Return the settings of a record; empty for that of a process killed before it wrote them.

    ``None`` if it does not exist or is not such a record.
    """
    with suppress_os_errors():
        text = record.read_text(encoding="utf-8", errors="replace")
        try:
            values = json.loads(text or '{"written_by": "emotone predict", "settings": {}}')
        except ValueError:
            return None
        if isinstance(values, dict) and values.get("written_by") == WRITER:
            settings = values.get("settings")
            return settings if isinstance(settings, dict) else None
    return None
