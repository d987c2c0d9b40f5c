"""Predictions as dictionaries, JSON lines, CSV rows and lines of a table."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from emotone.inference.prediction import NO_PREDICTION, Prediction, Segment
from emotone.text import encodable, printable

Kind = Literal["table", "json", "csv"]


def as_dict(prediction: Prediction | None) -> dict[str, Any]:
    """Return a prediction as a JSON object without embedding; probabilities to four digits."""
    if prediction is None:
        return dict(NO_PREDICTION)
    rounded = {
        label: round(probability, 4) for label, probability in prediction.probabilities.items()
    }
    return replace(prediction, probabilities=rounded, embedding=None).to_dict()


def segment_as_dict(segment: Segment) -> dict[str, Any]:
    """Return a segment as a JSON object; times in seconds."""
    times = {"start": round(segment.start, 3), "end": round(segment.end, 3)}
    return times | as_dict(segment.prediction)


def header(labels: Sequence[str], of_rows: Sequence[str] = (), embedding: int = 0) -> list[str]:
    """Return the columns of CSV.

    Args:
        labels: of the model.
        of_rows: columns of rows that are parts of a file, such as ``start`` and ``end``.
        embedding: size of the embeddings, in the columns ``e0``, ``e1``, …
    """
    probabilities = [f"p_{label}" for label in labels]
    numbers = [f"e{number}" for number in range(embedding)]
    return ["file", *of_rows, "label", "confidence", "confident", *probabilities, *numbers]


def row(values: Sequence[Any], columns: Sequence[str]) -> str:
    """Return a row of CSV; missing values at its end are empty."""
    text = io.StringIO()
    empty = [""] * (len(columns) - len(values))
    csv.writer(text, lineterminator="\n").writerow([*values, *empty])
    return text.getvalue()


def lines(
    file: Path, answer: Prediction | Sequence[Segment], kind: Kind, columns: Sequence[str]
) -> Iterator[str]:
    """Yield the lines about a file: one, or one for each segment."""
    for part in [answer] if isinstance(answer, Prediction) else answer:
        if isinstance(part, Segment):
            prediction, values = part.prediction, segment_as_dict(part)
        else:
            prediction, values = part, as_dict(part)
        if kind == "json":
            text = json.dumps({"file": str(file)} | values, ensure_ascii=False)
            yield printable(text) + "\n"  # as JSON, \u009b is the character itself
        elif kind == "csv":
            numbers = [*(values.pop("probabilities") or {}).values(), *_embedding(prediction)]
            yield row([encodable(file), *values.values(), *numbers], columns)
        else:
            when = f"{values['start']:8.1f} … {values['end']:.1f} s  " if "start" in values else ""
            yield f"{when}{_label(prediction)}  {printable(file)}{_doubt(prediction)}\n"


def _embedding(prediction: Prediction | None) -> Sequence[Any]:
    """Return the numbers of an embedding, none if it was not asked for."""
    return () if prediction is None or prediction.embedding is None else tuple(prediction.embedding)


def _label(prediction: Prediction | None) -> str:
    if prediction is None:
        return f"{'no speech':<10}      "
    return f"{prediction.label:<10} {100 * prediction.confidence:3.0f} %"


def _doubt(prediction: Prediction | None) -> str:
    return "" if prediction is None or prediction.confident else "  not sure"
