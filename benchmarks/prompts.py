"""Measures emotone-base on neutral recordings of real life: the prompts of telephone systems.

They are read in a lively voice, which acted corpora do not have. Nothing is trained or chosen on
them. On Debian: ``apt-get install asterisk-core-sounds-{en,es,fr,it,ru}-wav``, which are licensed
CC BY-SA 3.0.

Run ``python benchmarks/prompts.py /usr/share/asterisk/sounds``; it writes
``benchmarks/RESULTS-prompts.md``.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.progress import track

import emotone
from emotone import Prediction, Recognizer
from emotone.errors import AudioError

OUT = Path(__file__).parent / "RESULTS-prompts.md"
SHORTEST_BYTES = 32_000  # two seconds at 8 kHz
RECORDINGS = 200  # of each voice, at most
REFERENCES = 1, 3  # neutral recordings of the voice, which are not scored
NEUTRAL = "neutral"


def main() -> None:
    """Recognise the prompts of each voice and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="has a folder for each voice, such as en_US_f_…")
    folder = parser.parse_args().folder
    if not folder.is_dir():
        parser.error(f"{folder}: no such folder; install the recordings, see --help")
    folders = [each for each in sorted(folder.iterdir()) if each.is_dir() and not each.is_symlink()]
    voices = {each.name: prompts(each) for each in folders}
    voices = {name: files for name, files in voices.items() if len(files) > max(REFERENCES)}
    if not voices:
        parser.error(f"{folder}: no folder has recordings of two seconds (.wav); see --help")
    recognizer = emotone.load()
    rows = [row(recognizer, name, files) for name, files in voices.items()]
    OUT.write_text(page(rows), encoding="utf-8")


def prompts(folder: Path) -> list[Path]:
    """Choose recordings at random, always the same."""
    files = [path for path in sorted(folder.glob("*.wav")) if path.stat().st_size > SHORTEST_BYTES]
    chosen = np.random.default_rng(0).permutation(len(files))[:RECORDINGS]
    return [files[number] for number in chosen]


def row(recognizer: Recognizer, name: str, files: list[Path]) -> str:
    """Answers to one voice, without references and with some."""
    references, scored = files[: max(REFERENCES)], files[max(REFERENCES) :]
    cells = [name, str(len(scored))]
    for count in (0, *REFERENCES):
        relative = recognizer.with_neutral(references[:count]) if count else recognizer
        cells.append(shares(relative.predict_many(track(scored, f"{name}, {count} references"))))
    return f"| {' | '.join(cells)} |"


def shares(answers: Iterable[Prediction | AudioError]) -> str:
    """How many answers are neutral, and how many are another emotion with confidence.

    A recording without an answer, such as one of tones, is neither.
    """
    found = [
        (answer.label == NEUTRAL, answer.confident)
        if isinstance(answer, Prediction)
        else (False, False)
        for answer in answers
    ]
    neutral = np.mean([is_neutral for is_neutral, _ in found])
    wrong = np.mean([is_confident and not is_neutral for is_neutral, is_confident in found])
    return f"{100 * neutral:.0f} %, {100 * wrong:.0f} %"


def page(rows: list[str]) -> str:
    """The whole page."""
    columns = ["voice", "recordings", "no reference", *(f"{n} neutral" for n in REFERENCES)]
    lines = [
        "# Neutral recordings of real life",
        "",
        "Written by `python benchmarks/prompts.py /usr/share/asterisk/sounds`: prompts of "
        "telephone systems (Debian's asterisk-core-sounds), read in a lively, neutral voice. "
        "Nothing was trained or chosen on them. Share of the answers of emotone-base that are "
        "neutral, and share that are another emotion with confidence; also relative to neutral "
        "recordings of the voice ([how](../docs/tutorials/recognise.md#a-speaker-you-know)), "
        "which are not scored.",
        "",
        f"| {' | '.join(columns)} |",
        f"| {' | '.join('---' for _ in columns)} |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
