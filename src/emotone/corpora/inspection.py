"""What is in a corpus, and what is wrong with it: ``emotone corpus``."""

import hashlib
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emotone import audio
from emotone.corpora import Corpus
from emotone.errors import AudioError
from emotone.files import check_picture_name, save_picture

SILENT_DBFS = -70.0
CLIPPED_LEVEL = 0.999  # of full scale
CLIPPED_SHARE = 1e-3  # of the samples; a few full-scale samples are no clipping
SHOWN = 5  # files named per problem
FLOOR_DBFS = -120.0
MANY = 20  # utterances of which half do not have the same length by chance
MOST_NAMED = 40  # speakers that a picture names


@dataclass(frozen=True)
class Sound:
    """What one audio file holds."""

    seconds: float
    rate_hz: int
    channels: int
    level_dbfs: float
    clipped: float
    content: str


@dataclass(frozen=True)
class Inspection:
    """A corpus, measured.

    Attributes:
        corpus: what was measured.
        utterances: the corpus's table with ``seconds``, ``level_dbfs`` and ``rate_hz``, NaN where
            a file could not be read.
        problems: what is wrong, a sentence each.
    """

    corpus: Corpus
    utterances: pd.DataFrame
    problems: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: counts per class, speaker, session and rate, seconds, levels, problems."""
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
            "emotions_of_speakers": {
                str(speaker): _counts(group["emotion"])
                for speaker, group in table.groupby("speaker")
            },
            "problems": list(self.problems),
        }


def inspect(
    corpus: Corpus, *, threads: int = 2, advance: Callable[[], None] = lambda: None
) -> Inspection:
    """Read all audio of a corpus and look for what would spoil an experiment.

    Args:
        corpus: to inspect.
        threads: how many files to read at once.
        advance: called once per file.
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
    whole = [sounds[file] for file in table["file"]]
    for column in ("seconds", "level_dbfs", "rate_hz"):
        table[column] = [
            getattr(sound, column) if isinstance(sound, Sound) else math.nan for sound in whole
        ]
    outside = int((table["end"] > table["seconds"] + 1e-3).sum())
    ends = table["end"].fillna(table["seconds"])
    table["seconds"] = (ends - table["start"]).where(table["seconds"].notna())
    problems = [*corpus.problems, *_file_problems(sounds, table), *_table_problems(table)]
    if outside:
        problems.append(f"{outside} utterances end after their file; are times in seconds?")
    return Inspection(corpus, table, tuple(problems))


def _measure(path: Path) -> Sound:
    samples, rate = audio.decode(path)
    power = float(np.square(samples, dtype=np.float64).mean())
    return Sound(
        seconds=len(samples) / rate,
        rate_hz=rate,
        channels=samples.shape[1],
        level_dbfs=max(10 * math.log10(power), FLOOR_DBFS) if power else FLOOR_DBFS,
        clipped=float((np.abs(samples) >= CLIPPED_LEVEL).mean()),
        content=hashlib.blake2b(
            np.ascontiguousarray(samples).tobytes(), digest_size=16
        ).hexdigest(),
    )


def _file_problems(sounds: dict[str, Sound | str], table: pd.DataFrame) -> Iterator[str]:
    broken = [sound for sound in sounds.values() if isinstance(sound, str)]
    if broken:
        yield f"{len(broken)} files cannot be read: {'; '.join(broken[:SHOWN])}"
    read = {file: sound for file, sound in sounds.items() if isinstance(sound, Sound)}
    yield from _named("silent", [f for f, sound in read.items() if sound.level_dbfs < SILENT_DBFS])
    yield from _named("clipped", [f for f, sound in read.items() if sound.clipped > CLIPPED_SHARE])
    same: dict[str, list[str]] = {}
    for file, sound in read.items():
        same.setdefault(sound.content, []).append(file)
    owners = table.groupby("file")["speaker"].first()
    for group in same.values():
        if len(group) > 1:
            speakers = sorted({str(owners[file]) for file in group})
            whose = (
                f"different speakers ({', '.join(speakers)})"
                if len(speakers) > 1
                else f"speaker {speakers[0]}"
            )
            names = ", ".join(Path(file).name for file in group[:SHOWN])
            yield f"files of {whose} have the same content: {names}"


def _same_length(table: pd.DataFrame) -> Iterator[str]:
    seconds = table["seconds"].dropna().round(4)
    if len(seconds) >= MANY:
        usual, count = seconds.mode().iloc[0], int((seconds == seconds.mode().iloc[0]).sum())
        if count > len(seconds) / 2:
            yield (
                f"{count} of {len(seconds)} utterances last exactly {usual:g} s; were they cut or "
                "padded? Speech may be missing"
            )


def _table_problems(table: pd.DataFrame) -> Iterator[str]:
    classes = table.groupby("speaker")["emotion"].nunique()
    single = sorted(str(speaker) for speaker in classes.index[classes == 1])
    if single and table["emotion"].nunique() > 1:
        shown = ", ".join(single[:SHOWN]) + (", …" if len(single) > SHOWN else "")
        yield f"{len(single)} speakers show one emotion only: {shown}"
    yield from _same_length(table)
    people = table.drop_duplicates("speaker")
    without_sex = int((people["sex"] == "").sum())
    if without_sex:
        yield f"the sex of {without_sex} of {len(people)} speakers is not known"
    without_session = int((table["session"] == "").sum())
    if 0 < without_session < len(table):
        yield f"{without_session} of {len(table)} utterances have no session"


def _named(problem: str, files: list[str]) -> Iterator[str]:
    if files:
        names = ", ".join(Path(file).name for file in files[:SHOWN])
        more = ", …" if len(files) > SHOWN else ""
        yield f"{len(files)} files are {problem}: {names}{more}"


def draw(inspection: Inspection, path: Path) -> None:
    """Draw speakers × emotions, durations and levels as a picture; the suffix says which kind.

    Raises:
        UsageError: if the suffix is none of a picture.
        StorageError: if the file cannot be written.
    """
    from matplotlib.figure import Figure  # slow to load, not always needed

    check_picture_name(path)
    table = inspection.utterances
    counts = pd.crosstab(table["speaker"], table["emotion"])
    height = max(3.2, 0.8 + 0.22 * len(counts))
    figure = Figure(figsize=(12, min(height, 14)), layout="constrained")
    who, how_long, how_loud = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    image = who.imshow(counts.to_numpy(), aspect="auto", cmap="Blues", vmin=0)
    who.set(title="utterances of each speaker", ylabel="speaker")
    who.set_xticks(range(counts.shape[1]), counts.columns, rotation=45, ha="right")
    few = len(counts) <= MOST_NAMED
    who.set_yticks(range(len(counts)) if few else [], counts.index if few else [])
    if few:
        for (row, column), count in np.ndenumerate(counts.to_numpy()):
            dark = count > 0.6 * counts.to_numpy().max()
            who.text(column, row, count, ha="center", va="center", size=7,
                     color="white" if dark else "black")  # fmt: skip
    else:
        figure.colorbar(image, ax=who, label="utterances")
    how_long.hist(table["seconds"].dropna(), bins=40, color="#1f5f99")
    how_long.set(title="durations", xlabel="seconds", ylabel="utterances")
    emotions = inspection.corpus.labels
    levels = [table.loc[table["emotion"] == name, "level_dbfs"].dropna() for name in emotions]
    how_loud.boxplot(levels, tick_labels=emotions, medianprops={"color": "#b4541a"})
    how_loud.tick_params(axis="x", labelrotation=45)
    how_loud.set(title="levels", ylabel="dB below full scale")
    figure.suptitle(
        f"{inspection.corpus.name}: {len(table)} utterances, {len(counts)} speakers, "
        f"{table['seconds'].sum() / 3600:.2f} hours"
    )
    save_picture(figure, path)


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
