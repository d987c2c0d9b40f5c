"""Measures the audio of a corpus and looks for problems in it: ``emotone corpus``."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emotone import audio
from emotone.corpora.base import Corpus
from emotone.corpora.contradictions import conflicts
from emotone.corpora.fingerprints import Fingerprints, fingerprint, repeated
from emotone.errors import AudioError
from emotone.text import agree, plural

SILENT_DBFS = -70.0
CLIPPED_LEVEL = 0.999  # of full scale
CLIPPED_SHARE = 1e-3  # of the samples; a few samples at full scale are not clipping
LISTED = 5  # files or speakers listed per problem
FLOOR_DBFS = -120.0  # level of digital silence
ENOUGH = 20  # utterances; that half of them have the same length is then no coincidence


@dataclass(frozen=True)
class Sound:
    """Measurements of one audio file.

    Attributes:
        seconds: duration.
        rate_hz: sampling rate.
        level_dbfs: RMS level in dBFS.
        clipped_share: share of the samples at full scale.
        fingerprint: see :mod:`emotone.corpora.fingerprints`.
    """

    seconds: float
    rate_hz: int
    level_dbfs: float
    clipped_share: float
    fingerprint: Fingerprints


@dataclass(frozen=True)
class Inspection:
    """Measurements of a corpus.

    Attributes:
        corpus: the corpus.
        utterances: its table with ``seconds``, ``level_dbfs`` and ``rate_hz``, NaN where a file
            could not be read.
        problems: the problems found, one sentence each.
    """

    corpus: Corpus
    utterances: pd.DataFrame
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Counts per class, speaker, session and rate, spreads of durations, levels and dimensions.

        All values are plain Python, so that JSON can hold them.
        """
        table = self.utterances
        return {
            "corpus": self.corpus.name,
            "utterances": len(table),
            "speakers": len(self.corpus.speakers),
            "seconds": _spread(table["seconds"]),
            "level_dbfs": _spread(table["level_dbfs"]),
            "emotions": _counts(table["emotion"]),
            "sexes": _counts(table.drop_duplicates("speaker")["sex"]),
            "sessions": _counts(table["session"]),
            "rates_hz": _counts(table["rate_hz"].dropna().astype(int)),
            "dimensions": {
                name: {"utterances": int(table[name].count())} | _spread(table[name])
                for name in self.corpus.dimensions
            },
            "emotions_of_speakers": {
                str(speaker): _counts(group["emotion"])
                for speaker, group in table.groupby("speaker")
            },
            "problems": list(self.problems),
        }


def inspect(
    corpus: Corpus, *, threads: int = 2, advance: Callable[[], None] = lambda: None
) -> Inspection:
    """Read all audio of a corpus and look for what would invalidate an experiment.

    Args:
        corpus: the corpus to inspect.
        threads: number of files to read at once.
        advance: called after each file.
    """
    files = corpus.table["file"].unique().tolist()

    def measure(file: str) -> Sound | str:
        try:
            return _measure(Path(file))
        except AudioError as error:
            return str(error)
        finally:
            advance()

    with ThreadPoolExecutor(threads) as pool:
        sounds = dict(zip(files, pool.map(measure, files), strict=True))
    table = corpus.table.copy()
    per_row = [sounds[file] for file in table["file"]]
    for column in ("seconds", "level_dbfs", "rate_hz"):
        table[column] = [
            getattr(sound, column) if isinstance(sound, Sound) else math.nan for sound in per_row
        ]
    outside = int((table["end"] > table["seconds"] + 1e-3).sum())
    ends = table["end"].fillna(table["seconds"])
    table["seconds"] = (ends - table["start"]).where(table["seconds"].notna())
    problems = [*corpus.problems, *_file_problems(sounds, table), *_table_problems(table)]
    if outside:
        problems.append(
            f"{plural(outside, 'utterance')} {agree(outside, 'end')} after the file; are times in "
            "seconds?"
        )
    return Inspection(corpus, table, tuple(problems))


def _measure(path: Path) -> Sound:
    samples, rate = audio.decode(path)
    power = float(np.square(samples, dtype=np.float64).mean())
    return Sound(
        seconds=len(samples) / rate,
        rate_hz=rate,
        level_dbfs=max(10 * math.log10(power), FLOOR_DBFS) if power else FLOOR_DBFS,
        clipped_share=float((np.abs(samples) >= CLIPPED_LEVEL).mean()),
        fingerprint=fingerprint(audio.from_array(samples, rate)),
    )


def _file_problems(sounds: dict[str, Sound | str], table: pd.DataFrame) -> Iterator[str]:
    broken = [sound for sound in sounds.values() if isinstance(sound, str)]
    if broken:
        yield f"{plural(len(broken), 'file')} cannot be read: {'; '.join(broken[:LISTED])}"
    read = {file: sound for file, sound in sounds.items() if isinstance(sound, Sound)}
    yield from _named("silent", [f for f, sound in read.items() if sound.level_dbfs < SILENT_DBFS])
    yield from _named(
        "clipped", [f for f, sound in read.items() if sound.clipped_share > CLIPPED_SHARE]
    )
    heard = [file for file, sound in read.items() if sound.level_dbfs >= SILENT_DBFS]
    speakers_of = table.groupby("file")["speaker"].first()
    for group in _same_content(heard, [read[file].fingerprint for file in heard]):
        speakers = sorted({str(speakers_of[file]) for file in group})
        source = (
            f"different speakers ({', '.join(speakers)})"
            if len(speakers) > 1
            else f"speaker {speakers[0]}"
        )
        names = ", ".join(Path(file).name for file in group[:LISTED])
        yield f"files of {source} have the same content: {names}"


def _same_content(files: list[str], prints: list[Fingerprints]) -> list[list[str]]:
    """Groups of files that have the same content."""
    group_of = list(range(len(files)))  # each file's is the first of its group
    for one, other in repeated(np.stack(prints)) if files else ():
        joined, left = sorted((group_of[one], group_of[other]))
        group_of = [joined if group == left else group for group in group_of]
    groups: dict[int, list[str]] = {}
    for file, group in zip(files, group_of, strict=True):
        groups.setdefault(group, []).append(file)
    return [group for group in groups.values() if len(group) > 1]


def _same_length(table: pd.DataFrame) -> Iterator[str]:
    seconds = table["seconds"].dropna().round(4)
    if len(seconds) >= ENOUGH:
        mode, count = seconds.mode().iloc[0], int((seconds == seconds.mode().iloc[0]).sum())
        if count > len(seconds) / 2:
            yield (
                f"{count} of {len(seconds)} utterances last exactly {mode:g} s; were they cut or "
                "padded? Speech may be missing"
            )


def _table_problems(table: pd.DataFrame) -> Iterator[str]:
    yield from conflicts(table)
    repeated = table["file"][table.duplicated(["file", "start", "end", "emotion", "speaker"])]
    if count := len(repeated):
        yield (
            f"{plural(count, 'row')} {agree(count, 'are')} listed before, the first of "
            f"{Path(repeated.iloc[0]).name}; they would count twice"
        )
    classes = table.groupby("speaker")["emotion"].nunique()
    single = sorted(str(speaker) for speaker in classes.index[classes == 1])
    if single and table["emotion"].nunique() > 1:
        shown = ", ".join(single[:LISTED]) + (", …" if len(single) > LISTED else "")
        which = f"{plural(len(single), 'speaker')} {agree(len(single), 'have')}"
        yield f"{which} only one emotion: {shown}"
    yield from _same_length(table)
    people = table.drop_duplicates("speaker")
    without_sex = int((people["sex"] == "").sum())
    if without_sex:
        yield f"the sex of {without_sex} of {len(people)} speakers is unknown"
    without_session = int((table["session"] == "").sum())
    if 0 < without_session < len(table):
        yield f"{without_session} of {len(table)} utterances have no session"


def _named(problem: str, files: list[str]) -> Iterator[str]:
    if files:
        names = ", ".join("/".join(Path(file).parts[-2:]) for file in files[:LISTED])
        more = ", …" if len(files) > LISTED else ""
        yield f"{plural(len(files), 'file')} {agree(len(files), 'are')} {problem}: {names}{more}"


def _counts(values: "pd.Series[Any]") -> dict[str, int]:
    counts = values.value_counts().sort_index()
    return {str(name) or "not known": int(count) for name, count in counts.items()}


def _spread(values: "pd.Series[Any]") -> dict[str, float | None]:
    values = values.dropna()
    if values.empty:
        return dict.fromkeys(("least", "median", "greatest", "sum"))
    return {
        "least": round(float(values.min()), 3),
        "median": round(float(values.median()), 3),
        "greatest": round(float(values.max()), 3),
        "sum": round(float(values.sum()), 3),
    }
