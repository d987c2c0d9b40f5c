"""Predictions as dictionaries, JSON lines, CSV rows and lines of a table."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from emotone.inference.call import Call, SpeakerSummary, Turn
from emotone.inference.prediction import NO_PREDICTION, Prediction, Segment
from emotone.text import encodable, plural, printable

Kind = Literal["table", "json", "csv"]
VALUE = "d_"  # prefix of the columns of dimensions


def as_dict(prediction: Prediction | None) -> dict[str, Any]:
    """Return a prediction as a JSON object without embedding; shares to four digits."""
    if prediction is None:
        return dict(NO_PREDICTION)
    values = replace(prediction, embedding=None).to_dict()
    values["confidence"] = round(values["confidence"], 4)
    for name in {"probabilities", "dimensions"} & values.keys():
        values[name] = {key: round(value, 4) for key, value in values[name].items()}
    return values


def segment_as_dict(segment: Segment) -> dict[str, Any]:
    """Return a segment as a JSON object; times in seconds."""
    times = {"start": round(segment.start, 3), "end": round(segment.end, 3)}
    speaker = {"speaker": segment.speaker} if isinstance(segment, Turn) else {}
    return times | speaker | as_dict(segment.prediction)


def call_as_dict(call: Call) -> dict[str, Any]:
    """Return a call as a JSON object; times in seconds, to milliseconds."""
    turns = [segment_as_dict(turn) for turn in call.turns]
    values: dict[str, Any] = _rounded(replace(call, turns=[]).to_dict())
    return values | {"turns": turns}


def _rounded(value: Any) -> Any:
    """Round all numbers in a JSON object."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def header(
    labels: Sequence[str],
    dimensions: Sequence[str] = (),
    of_rows: Sequence[str] = (),
    embedding: int = 0,
) -> list[str]:
    """Return the columns of CSV.

    Args:
        labels: of the model.
        dimensions: of the model, in the columns ``d_arousal``, …
        of_rows: columns of rows that are parts of a file, such as ``start`` and ``end``.
        embedding: size of the embeddings, in the columns ``e0``, ``e1``, …
    """
    probabilities = [f"p_{label}" for label in labels]
    numbers = [f"e{number}" for number in range(embedding)]
    values = [f"{VALUE}{name}" for name in dimensions]
    answer = ["label", "confidence", "confident", *probabilities, *values, *numbers]
    return ["file", *of_rows, *answer]


def row(values: Sequence[Any], columns: Sequence[str]) -> str:
    """Return a row of CSV; missing values at its end are empty."""
    text = io.StringIO()
    empty = [""] * (len(columns) - len(values))
    csv.writer(text, lineterminator="\n").writerow([*values, *empty])
    return text.getvalue()


def lines(
    file: Path, answer: Prediction | Sequence[Segment] | Call, kind: Kind, columns: Sequence[str]
) -> Iterator[str]:
    """Yield the lines about a file: one, or one for each segment or turn.

    The table of a call ends with a line for each speaker.
    """
    parts = answer.turns if isinstance(answer, Call) else answer
    for part in [parts] if isinstance(parts, Prediction) else parts:
        if isinstance(part, Segment):
            prediction, values = part.prediction, segment_as_dict(part)
        else:
            prediction, values = part, as_dict(part)
        if any(name.startswith(VALUE) for name in columns):
            values.setdefault("dimensions", None)  # of a window without speech
        if kind == "json":
            text = json.dumps({"file": str(file)} | values, ensure_ascii=False)
            yield printable(text) + "\n"  # as JSON, \u009b is the character itself
        elif kind == "csv":
            shares = [values.pop(name, None) or {} for name in ("probabilities", "dimensions")]
            numbers = [number for one in shares for number in one.values()]
            numbers += _embedding(prediction)
            if isinstance(part, Turn):
                values["speaker"] = encodable(part.speaker)
            yield row([encodable(file), *values.values(), *numbers], columns)
        else:
            when = ""
            if isinstance(part, Segment):
                when = f"{part.start:8.1f} … {part.end:.1f} s  "
            who = printable(part.speaker) if isinstance(part, Turn) else printable(file)
            yield f"{when}{_label(prediction)}{_values(prediction)}  {who}{_doubt(prediction)}\n"
    if kind == "table" and isinstance(answer, Call):
        yield from (f"{printable(file)}: {_summary(speaker)}\n" for speaker in answer.speakers)


def _summary(speaker: SpeakerSummary) -> str:
    """Say of a speaker how long each emotion lasted, and how that changed."""
    turns = plural(speaker.turns, "turn")
    text = f"{printable(speaker.speaker)}, {turns}, {speaker.seconds:.0f} s answered"
    if not speaker.confident_turns:
        return f"{text}, no confident answer"
    found = sorted(speaker.shares.items(), key=lambda share: -share[1])
    shares = []
    for label, share in found:
        if share:
            change = f" ({100 * speaker.trend[label]:+.0f})" if speaker.trend else ""
            shares.append(f"{label} {100 * share:.0f} %{change}")
    return f"{text}, confident {speaker.confident_seconds:.0f} s: {', '.join(shares)}"


def _embedding(prediction: Prediction | None) -> Sequence[Any]:
    """Return the numbers of an embedding, none if it was not asked for."""
    return () if prediction is None or prediction.embedding is None else tuple(prediction.embedding)


def _label(prediction: Prediction | None) -> str:
    if prediction is None:
        return f"{'no speech':<10}      "
    return f"{prediction.label:<10} {100 * prediction.confidence:3.0f} %"


def _values(prediction: Prediction | None) -> str:
    """Return the dimensions for a line of a table."""
    found = {} if prediction is None else prediction.dimensions or {}
    return "".join(f"  {printable(name)} {value:.2f}" for name, value in found.items())


def _doubt(prediction: Prediction | None) -> str:
    return "" if prediction is None or prediction.confident else "  not sure"
