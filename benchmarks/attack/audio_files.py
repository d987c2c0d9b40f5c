"""Damaged audio files through ``emotone.audio.read``, ``Recognizer.predict`` and the command."""

import json
import random
import threading
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path

import numpy as np

from benchmarks.attack import material
from benchmarks.attack.mutations import mutated
from benchmarks.attack.outcome import Ended, Fault, Plan, faults_of, json_faults
from benchmarks.attack.processes import COMMANDS, Helper, each
from emotone import audio
from emotone.errors import AudioError
from emotone.inference.recognizer import Recognizer, load

FILES = 10_000
IN_FOLDER = 20  # damaged files of a container in a folder for the command
FOLDER_LIMIT_S = 60.0
PREDICTED = f"{__name__}:recognised"


@lru_cache(maxsize=1)
def recognizer() -> Recognizer:
    """Return the default model."""
    return load()


def recognised(path: str) -> tuple[str, str]:
    """Read and recognise a file; returns what came of each, a message or ``not finite``."""
    try:
        samples = audio.read(path)
        first = "ok" if np.isfinite(samples).all() and len(samples) else "not finite"
    except AudioError as error:
        first = f"error: {error}"
    try:
        numbers = list(recognizer().predict(path).probabilities.values())
        whole = np.isfinite(numbers).all() and abs(sum(numbers) - 1) < 1e-3
        second = "ok" if whole else "not finite"
    except AudioError as error:
        second = f"error: {error}"
    return first, second


def attack(plan: Plan) -> None:
    """Try damaged files one by one, then folders of them."""
    files = material.containers()
    number = plan.count(FILES)
    plan.tally.planned = number + len(files)
    threads = count()
    local = threading.local()

    def one(helper: Helper, case: str, data: bytes) -> list[Fault]:
        if not hasattr(local, "slot"):
            local.slot = next(threads)
        name = case.split("/")[0]
        path = plan.folder / f"{local.slot}.{files[name][0]}"
        path.write_bytes(data)
        ended = helper.call(PREDICTED, str(path))
        faults = [*faults_of(ended), *answer_faults(ended)]
        if faults:
            (plan.folder / f"{case.replace('/', '-')}.{files[name][0]}").write_bytes(data)
        return faults

    end = plan.end
    plan.end -= 0.2 * plan.left_s  # the rest is for the folders
    each(plan, cases(plan, files, number), one, ["benchmarks.attack.audio_files"])
    plan.end = end
    each(plan, folders(plan, files), in_folder, COMMANDS)


def cases(
    plan: Plan, files: dict[str, tuple[str, bytes]], number: int
) -> Iterator[tuple[str, bytes]]:
    """Yield damaged files: container and number, content."""
    names = list(files)
    for place in range(number):
        case = f"{names[place % len(names)]}/{place // len(names)}"
        if plan.wants(case):
            yield case, damaged(plan.seed, case, files)


def damaged(seed: int, case: str, files: dict[str, tuple[str, bytes]]) -> bytes:
    """Return the content of a case."""
    rng = random.Random(f"{seed}/{case}")
    other = files[rng.choice(list(files))][1]
    return mutated(rng, files[case.split("/")[0]][1], other)


def answer_faults(ended: Ended) -> list[Fault]:
    """Return what is wrong with the answers about a file."""
    if ended.value is None:
        return []
    found = [Fault("NaN", f"{what} gave no finite numbers") for what, answer in
             zip(("read", "predict"), ended.value, strict=True)
             if answer == "not finite"]  # fmt: skip
    longest = max(map(len, ended.value))
    if longest > 1000:
        found.append(Fault("other", f"a message of {longest} characters"))
    if ended.out:
        found.append(Fault("other", f"{len(ended.out)} foreign characters on standard output"))
    return found


def folders(
    plan: Plan, files: dict[str, tuple[str, bytes]]
) -> Iterator[tuple[str, tuple[Path, int]]]:
    """Yield folders of damaged files: one for each container."""
    for name, (suffix, _) in files.items():
        if not plan.wants(case := f"folder-{name}"):
            continue
        folder = plan.folder / case
        folder.mkdir()
        number = plan.count(IN_FOLDER * 20) if plan.quick else IN_FOLDER
        for place in range(number):
            content = damaged(plan.seed, f"{name}/{place}", files)
            (folder / f"{place}.{suffix}").write_bytes(content)
        yield case, (folder, number)


def in_folder(helper: Helper, _case: str, item: tuple[Path, int]) -> list[Fault]:
    """Recognise a folder by the command; each file must have an answer or an error."""
    folder, number = item
    paths = sorted(folder.iterdir())  # not the folder: some suffixes are not those of audio
    ended = helper.command("predict", *paths, "--json", folder=folder, limit_s=FOLDER_LIMIT_S)
    faults = [*faults_of(ended, FOLDER_LIMIT_S), *json_faults(ended.out)]
    named = {Path(one).name for one in _answered(ended.out)}
    lost = [path for path in paths if path.name not in named and str(path) not in ended.error]
    if lost and not ended.late:
        faults.append(Fault("lost data", f"{len(lost)} of {number} files without an answer"))
    return faults


def _answered(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith('{"file"'):
            yield json.loads(line)["file"]
