"""The audio files in a folder: one rule for recognition and for corpora."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emotone.audio.opening import reason

SUFFIXES = (
    ".3g2", ".3ga", ".3gp", ".3gpp", ".aa3", ".aac", ".ac3", ".adts", ".aif", ".aifc", ".aiff",
    ".alac", ".amr", ".ape", ".asf", ".au", ".avi", ".awb", ".bwf", ".caf", ".divx", ".dsf", ".dts",
    ".eac3", ".ec3", ".f4a", ".f4v", ".flac", ".flv", ".gsm", ".ircam", ".m2a", ".m2t", ".m2ts",
    ".m4a", ".m4b", ".m4p", ".m4r", ".m4v", ".mka", ".mkv", ".mov", ".mp+", ".mp1", ".mp2", ".mp3",
    ".mp4", ".mpa", ".mpc", ".mpeg", ".mpg", ".mpga", ".mts", ".mxf", ".nist", ".nut", ".oga",
    ".ogg", ".ogm", ".ogv", ".ogx", ".oma", ".opus", ".qt", ".ra", ".rf64", ".rm", ".rmvb", ".shn",
    ".snd", ".sph", ".spx", ".svx", ".tak", ".ts", ".tta", ".vob", ".voc", ".w64", ".wav", ".wave",
    ".weba", ".webm", ".wma", ".wmv", ".wv",
)  # fmt: skip
TS_PACKET = 188  # bytes, of an MPEG transport stream
SHOWN = 5  # suffixes in a sentence


@dataclass(frozen=True)
class Folder:
    """What is in a folder and its subfolders.

    Attributes:
        path: the folder.
        files: the files whose suffix is one of audio, sorted; links are followed.
        others: number of other files, by suffix.
        added: number of files that macOS adds to archives (``._*`` and ``__MACOSX``).
        special: number of pipes, devices and sockets.
        unreadable: folders that cannot be read, each with the reason.
    """

    path: Path
    files: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    added: int = 0
    special: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def left_out(self) -> str:
        """Say how many files are left out, and why; empty if none are."""
        others = self.others.total()
        by_suffix = [f"{suffix} {count}" for suffix, count in self.others.most_common(SHOWN)]
        more = ", …" if len(self.others) > SHOWN else ""
        parts = [
            (others, f"{others} whose suffix is not one of audio ({', '.join(by_suffix)}{more})"),
            (self.added, f"{self.added} that macOS adds (._*, __MACOSX)"),
            (self.special, f"{self.special} pipes or devices"),
        ]
        total = sum(count for count, _ in parts)
        if not total:
            return ""
        reasons = ", ".join(text for count, text in parts if count)
        return f"{self.path}: {total} file{'s' * (total > 1)} left out: {reasons}"


def search(root: Path) -> Folder:
    """Search a folder and its subfolders, linked ones included, each once."""
    files: list[Path] = []
    others: Counter[str] = Counter()
    unreadable: list[str] = []
    added = special = 0
    for entry in _entries(root, unreadable, set()):
        path = Path(entry.path)
        if entry.name.startswith("._") or "__MACOSX" in path.relative_to(root).parts:
            added += 1
        elif path.suffix.lower() not in SUFFIXES or _is_typescript(path):
            others[path.suffix.lower() or "none"] += 1
        elif entry.is_file() or entry.is_symlink():  # a link that leads nowhere is an error later
            files.append(path)
        else:
            special += 1
    return Folder(root, sorted(files), others, added, special, unreadable)


def _is_typescript(path: Path) -> bool:
    """Whether a .ts file is TypeScript: packets of an MPEG transport stream begin with a G."""
    if path.suffix.lower() != ".ts" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            packets = file.read(2 * TS_PACKET)
    except OSError:
        return False  # an error later, with its reason
    return any(byte != ord("G") for byte in packets[::TS_PACKET])


def _entries(
    folder: Path, unreadable: list[str], seen: set[tuple[int, int]]
) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder and below, without the folders themselves."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        unreadable.append(f"{folder}: the folder cannot be read ({reason(error)})")
        return
    for entry in entries:
        if entry.is_dir():
            yield from _entries(Path(entry.path), unreadable, seen)
        else:
            yield entry
