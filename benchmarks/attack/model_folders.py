"""Malformed model folders through ``emotone predict``, ``export`` and ``adapt``.

Who makes a folder also makes its hashes, so these are right unless a case says otherwise.
"""

import hashlib
import json
import os
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import safetensors.numpy

from benchmarks.attack import material
from benchmarks.attack.graphs import GRAPHS
from benchmarks.attack.mutations import mutated
from benchmarks.attack.outcome import LIMIT_S, Fault, Plan, faults_of, json_faults, line_faults
from benchmarks.attack.processes import Helper, each

FOLDERS = 200
CONFIG, ONNX, WEIGHTS, CARD = "config.json", "model.onnx", "model.safetensors", "MODEL_CARD.md"
VALUES: tuple[Any, ...] = (
    None, "", "x", [], {}, [[]], {"a": 1}, True, -1, 0, 0.5, 1e-320, 1e308, 2**31, 2**64,
    float("nan"), float("inf"), "../../etc/passwd", "x" * 100_000, [1] * 10_000,
)  # fmt: skip
RAW = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "number": b"1",
    "not-utf8": b"\xff\xfe\x00\x01",
    "cut": b'{"format": 1, "labels": ["anger"',
    "deep": b"[" * 200_000,
    "deep-objects": b'{"format":' * 100_000,
    "digits": b'{"format": ' + b"9" * 6000 + b"}",
    "zeros": bytes(1_000_000),
    "large": b'{"format": 1, "x": "' + b"x" * 300_000_000 + b'"}',
    "pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtins\x94.",
}  # fmt: skip
SPECIAL: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "nowhere": lambda path: path.symlink_to("nowhere"),
    "itself": lambda path: path.symlink_to(path.name),
    "other": lambda path: path.symlink_to("/etc/hostname"),
    "sparse": lambda path: _sparse(path),
}
# parts of the configuration from which a network is rebuilt
REBUILT = ("config/features", "config/model", "config/labels", "config/sha256", "config/raw")
Recipe = Callable[[Path], None]


def attack(plan: Plan) -> None:
    """Try malformed folders of a small model."""
    table = material.corpus(plan.folder / "corpus")
    with closing(Helper()) as helper:
        model = material.model(plan.folder / "model", table, helper)
    made = recipes(plan, json.loads((model / CONFIG).read_text()))
    chosen = [(case, recipe) for case, recipe in made.items() if plan.wants(case)]
    if not plan.only:
        chosen = random.Random(plan.seed).sample(chosen, min(plan.count(FOLDERS), len(chosen)))
    plan.tally.planned = len(chosen)
    each(plan, chosen, partial(_tried, model, table))


def _tried(model: Path, table: Path, helper: Helper, case: str, recipe: Recipe) -> list[Fault]:
    folder = model.parent / case.replace("/", "-")
    shutil.copytree(model, folder)
    try:
        recipe(folder)
        unread = case.startswith((f"{ONNX}/", f"{CARD}/", "graph/"))  # by export and adapt
        checked = case.startswith("config/") and not case.startswith(REBUILT)  # as by predict
        return faults_in(helper, folder, table, only_predict=unread, unless_refused=checked)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def faults_in(
    helper: Helper,
    folder: Path,
    table: Path,
    *,
    only_predict: bool = False,
    unless_refused: bool = False,
) -> list[Fault]:
    """Predict with a folder and export it; adapt it if that fails, as both read the weights.

    Args:
        helper: runs the commands.
        folder: model folder.
        table: corpus.
        only_predict: whether export and adapt are left out, which takes seconds off a case.
        unless_refused: whether they are left out unless ``predict`` refuses the folder.
    """
    found: list[Fault] = []

    def run(what: str, *arguments: str | Path, extra_s: float) -> bool:
        limit_s = LIMIT_S + extra_s
        ended = helper.command(what, *arguments, folder=folder.parent, limit_s=limit_s)
        faults = [*faults_of(ended, limit_s), *line_faults(ended)]
        if what == "predict" and not ended.code:
            faults += json_faults(ended.out)
        elif not ended.code and not _finite(folder / WEIGHTS):
            faults.append(Fault("NaN", "weights that are not finite are accepted"))
        found.extend(Fault(one.kind, f"{what}: {one.what}") for one in faults)
        return ended.code == 0

    accepted = run("predict", table.parent / "0.wav", "--model", folder, "--json", extra_s=0)
    if only_predict or (accepted and unless_refused):
        return found
    out = folder.with_suffix(".out")
    if not run("export", folder, "--out", out / "exported.onnx", extra_s=10):
        options = ["training.epochs=1", "protocol.name=kfold", "protocol.folds=2",
                   "runtime.jobs=1", "--allow-overlap"]  # fmt: skip
        run("adapt", folder, table, *options, "--out", out / "adapted", extra_s=20)
    shutil.rmtree(out, ignore_errors=True)
    return found


def recipes(plan: Plan, config: dict[str, Any]) -> dict[str, Recipe]:
    """Return what makes a folder malformed, by name."""
    made: dict[str, Recipe] = {}
    for key in _keys(config):
        for number, value in enumerate(VALUES):
            made[f"config/{'.'.join(map(str, key))}/{number}"] = partial(_set, key, value)
    keep = set(random.Random(plan.seed).sample(sorted(made), 80))
    made = {name: recipe for name, recipe in made.items() if name in keep or name in plan.only}
    for name in ("labels", "features", "model", "training", "sha256", "versions", "temperature"):
        made[f"config/{name}/removed"] = partial(_set, (name,), ...)
    made["config/temperature/zero"] = partial(_set, ("temperature",), 0)
    made["config/temperature/tiny"] = partial(_set, ("temperature",), 1e-320)
    made["config/temperature/nan"] = partial(_set, ("temperature",), float("nan"))
    made["config/temperature/infinite"] = partial(_set, ("temperature",), float("inf"))
    made["config/sample_rate/8000"] = partial(_set, ("sample_rate",), 8000)
    made["config/labels/three"] = partial(_set, ("labels",), ["a", "b", "c"])
    made["config/labels/same"] = partial(_set, ("labels",), ["a", "a"])
    for name, content in RAW.items():
        made[f"config/raw-{name}"] = partial(_write, CONFIG, content)
    for file in (CONFIG, ONNX, WEIGHTS, CARD):
        for name, make in SPECIAL.items():
            made[f"{file}/{name}"] = partial(_replace, file, make)
    for file in (ONNX, WEIGHTS):
        for number in range(10):
            rng = random.Random(f"{plan.seed}/{file}/{number}")
            made[f"{file}/mutated-{number}"] = partial(_mutate, file, rng)
        made[f"{file}/empty"] = partial(_write, file, b"")
        made[f"{file}/other-hash"] = partial(_append, file)
    made |= {f"graph/{name}": partial(_graph, change) for name, change in GRAPHS.items()}
    made |= {
        f"weights/{name}": partial(_weights, change) for name, change in WEIGHT_CHANGES.items()
    }
    made |= {f"weights/header-{name}": partial(_write, WEIGHTS, content)
             for name, content in HEADERS.items()}  # fmt: skip
    return made


def _keys(config: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the keys of a configuration; of what is only described, those at the top."""
    for key, value in config.items():
        yield (*above, key)
        if isinstance(value, dict) and key in ("features", "model", "sha256"):
            yield from _keys(value, (*above, key))


def _set(key: tuple[str, ...], value: Any, folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    *sections, last = key
    place = config
    for section in sections:
        place = place[section]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    (folder / CONFIG).write_text(json.dumps(config))


def _write(file: str, content: bytes, folder: Path) -> None:
    (folder / file).write_bytes(content)
    _hash(folder)


def _append(file: str, folder: Path) -> None:
    with (folder / file).open("ab") as opened:
        opened.write(b"x")


def _replace(file: str, make: Callable[[Path], object], folder: Path) -> None:
    (folder / file).unlink()
    make(folder / file)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 30)


def _mutate(file: str, rng: random.Random, folder: Path) -> None:
    data = (folder / file).read_bytes()
    _write(file, mutated(rng, data, data[:1000]), folder)


def _graph(change: Callable[[onnx.ModelProto], None], folder: Path) -> None:
    model = onnx.load(folder / ONNX)
    change(model)
    _write(ONNX, model.SerializeToString(), folder)


def _weights(change: Callable[[dict[str, Any]], None], folder: Path) -> None:
    weights = safetensors.numpy.load_file(folder / WEIGHTS)
    change(weights)
    _write(WEIGHTS, safetensors.numpy.save(weights), folder)


def _hash(folder: Path) -> None:
    """Correct the hashes of a configuration that has some."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        for file in config["sha256"]:
            config["sha256"][file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        (folder / CONFIG).write_text(json.dumps(config))
    except (ValueError, KeyError, TypeError, RecursionError):
        return


def _finite(path: Path) -> bool:
    try:
        weights = safetensors.numpy.load_file(path)
    except Exception:  # not weights at all; then other faults are reported
        return True
    return all(np.isfinite(one).all() for one in weights.values() if one.dtype.kind == "f")


def _filled(value: float) -> Callable[[dict[str, Any]], None]:
    def change(weights: dict[str, Any]) -> None:
        for name, array in weights.items():
            if array.dtype == np.float32:
                weights[name] = np.full_like(array, value)

    return change


def _one_nan(weights: dict[str, Any]) -> None:
    name = next(name for name, array in weights.items() if array.dtype == np.float32)
    weights[name] = weights[name].copy()
    weights[name].flat[0] = np.nan


def _changed(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def all_changed(weights: dict[str, Any]) -> None:
        weights.update({name: change(array) for name, array in weights.items()})

    return all_changed


def _first_removed(weights: dict[str, Any]) -> None:
    del weights[next(iter(weights))]


WEIGHT_CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "nan": _filled(np.nan),
    "infinite": _filled(np.inf),
    "enormous": _filled(3e38),
    "one-nan": _one_nan,
    "none": lambda weights: weights.clear(),
    "one-removed": _first_removed,
    "one-added": lambda weights: weights.update(more=np.zeros(3, np.float32)),
    "flat": _changed(lambda array: np.ascontiguousarray(array.reshape(-1))),
    "doubles": _changed(lambda array: array.astype(np.float64)),
    "whole-numbers": _changed(lambda array: array.astype(np.int32)),
    "half": _changed(lambda array: np.ascontiguousarray(array[: len(array) // 2])
                     if array.ndim else array),
}  # fmt: skip
HEADERS = {
    "none": struct.pack("<Q", 0),
    "endless": struct.pack("<Q", (1 << 64) - 1),
    "long": struct.pack("<Q", 1 << 40) + b"{}",
    "not-json": struct.pack("<Q", 4) + b"\xff\xff\xff\xff",
    "deep": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "outside": struct.pack("<Q", 65)
    + b'{"a":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}',
    "huge-shape": struct.pack("<Q", 84)
    + b'{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}',
}
