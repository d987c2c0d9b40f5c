"""IEMOCAP, the Interactive Emotional Dyadic Motion Capture database: four classes.

Five sessions of a woman and a man each, with improvised and scripted dialogs. Labels are in
``SessionN/dialog/EmoEvaluation/<dialog>.txt``, audio in
``SessionN/sentences/wav/<dialog>/<utterance>.wav``. The last part of an utterance's name gives the
speaker: ``Ses01F_impro01_M003`` is spoken by the man of session 1; the letter after the session is
that of the person who wore the motion-capture markers.

The usual four classes are anger, happiness, neutral and sadness, where happiness includes
excitement: 5531 utterances, of which 1708 neutral, 1636 happiness, 1103 anger and 1084 sadness. All
other labels are left out and counted.

Citation: Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee & Narayanan, "IEMOCAP: Interactive
    emotional dyadic motion capture database", Language Resources and Evaluation 42, 2008
Licence: on request, from USC
Home page: https://sail.usc.edu/iemocap/
Language: English (eng)
Speakers: 10
Utterances: 5531
Emotions: anger, happiness, neutral, sadness
Layout: Session1/dialog/EmoEvaluation and Session1/sentences/wav
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from emotone.corpora.base import (
    Corpus,
    CorpusOptions,
    audio_by_stem,
    corpus_from_rows,
    existing_root,
)
from emotone.corpora.info import corpus_info
from emotone.errors import CorpusError
from emotone.text import agree, plural

INFO = corpus_info(__name__)
LINE = re.compile(
    r"\[(?P<start>[\d.]+) - (?P<end>[\d.]+)\]\t(?P<utterance>Ses0[1-5][FM]_\S+_[FM]\w+)\t"
    r"(?P<label>\w+)\t"
    r"\[(?P<valence>-?\d+\.?\d*), (?P<arousal>-?\d+\.?\d*), (?P<dominance>-?\d+\.?\d*)\]\s*"
)
EMOTIONS = {
    "ang": "anger",
    "hap": "happiness",
    "exc": "happiness",
    "neu": "neutral",
    "sad": "sadness",
}
LABELS = {*EMOTIONS, "fru", "sur", "fea", "dis", "oth", "xxx"}


class IemocapOptions(CorpusOptions):
    """IEMOCAP; ``root`` is the folder that holds ``Session1`` to ``Session5``.

    Attributes:
        part: ``improvised`` or ``scripted`` dialogs, or ``all``.
        excitement: ``merge`` it into happiness, or ``leave_out``.
    """

    name: Literal["iemocap"] = "iemocap"
    part: Literal["all", "improvised", "scripted"] = "all"
    excitement: Literal["merge", "leave_out"] = "merge"

    own_scale: ClassVar[tuple[float, float]] = (1.0, 5.0)


def read(options: IemocapOptions) -> Corpus:
    """Read IEMOCAP. Adds ``part``, ``arousal``, ``valence`` and ``dominance`` (1 to 5).

    Raises:
        CorpusError: if the folder does not exist or holds no IEMOCAP, or a line of an evaluation
            file is malformed; names file and line.
    """
    root = existing_root(options, INFO.layout)
    sessions = sorted(path for path in root.glob("Session[1-5]") if path.is_dir())
    evaluations = {session: sorted(_evaluations(session)) for session in sessions}
    if not any(evaluations.values()):
        raise CorpusError(
            f"iemocap: no {INFO.layout} in {root}{_nearby(root)}; corpus.root must be the folder "
            "that holds Session1 to Session5"
        )
    rows, left_out, absent = [], Counter[str](), Counter[str]()
    for session, paths in evaluations.items():
        files = audio_by_stem(session / "sentences" / "wav")
        for path in paths:
            for row in _labelled(path):
                label = row.pop("label")
                if options.part not in ("all", row["part"]):
                    continue
                if label not in EMOTIONS or (label == "exc" and options.excitement == "leave_out"):
                    left_out[label] += 1
                elif row["utterance"] not in files:
                    absent[session.name] += 1
                else:
                    file = str(files[row["utterance"]])
                    rows.append(row | {"file": file, "emotion": EMOTIONS[label]})
    if not rows:
        raise _nothing_left(options, left_out, absent)
    problems = [
        f"{plural(count, 'utterance')} with the label {label} {agree(count, 'are')} left out"
        for label, count in sorted(left_out.items())
    ]
    problems += [
        f"{plural(count, 'labelled utterance')} of {session} {agree(count, 'have')} no audio; is "
        "the copy complete?"
        for session, count in sorted(absent.items())
    ]
    if len(sessions) < 5:
        names = ", ".join(session.name for session in sessions)
        problems.append(f"only {names} of the five sessions were found")
    return corpus_from_rows("iemocap", rows, language=INFO.language_code, problems=problems)


def _nothing_left(
    options: IemocapOptions, left_out: Counter[str], absent: Counter[str]
) -> CorpusError:
    """Return the error for a copy, or a choice of ``part``, without a usable utterance."""
    reasons, remedy = [], "copy the whole release"
    if absent:
        count = absent.total()
        reasons.append(
            f"{plural(count, 'labelled utterance')} {agree(count, 'have')} no audio in "
            "SessionN/sentences/wav"
        )
    if left_out:
        labels = ", ".join(f"{label} ({count})" for label, count in sorted(left_out.items()))
        reasons.append(f"these labels are left out: {labels}")
    chosen = ""
    if options.part != "all":
        chosen = f" with corpus.part={options.part}"
        remedy += ", or set corpus.part=all"
    found = " and ".join(reasons) or "the evaluation files list none"
    return CorpusError(f"iemocap: no utterance in {options.root}{chosen}: {found}; {remedy}")


def _evaluations(session: Path) -> Iterator[Path]:
    """The summaries of the dialogs; subfolders hold those of single evaluators."""
    folder = session / "dialog" / "EmoEvaluation"
    return (path for path in folder.glob("Ses*.txt") if path.is_file())


def _labelled(path: Path) -> Iterator[dict[str, Any]]:
    """The utterances of a dialog: a row for the table each, with ``label``, without the file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("["):
            continue
        match = LINE.fullmatch(line)
        if match is None or match["label"] not in LABELS:
            raise CorpusError(
                f"iemocap: {path}, line {number}: expected [start - end], name, label and "
                f"[valence, arousal, dominance] between tabs, got {line!r}; copy the file again"
            )
        name = match["utterance"]
        sex = name.rpartition("_")[2][0]
        yield {
            "utterance": name,
            "label": match["label"],
            "speaker": name[:5] + sex,
            "sex": "female" if sex == "F" else "male",
            "session": str(int(name[3:5])),
            **{scale: float(match[scale]) for scale in ("valence", "arousal", "dominance")},
            "part": "improvised" if "_impro" in name else "scripted",
        }


def _nearby(root: Path) -> str:
    """Suggest a parent or child folder that holds IEMOCAP."""
    for folder in (root.parent, root.parent.parent, *sorted(root.glob("*"))):
        if (folder / "Session1" / "dialog" / "EmoEvaluation").is_dir():
            return f"; did you mean {folder}?"
    return ""
