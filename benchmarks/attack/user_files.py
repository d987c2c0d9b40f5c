"""The user's own files at every path that a command writes; none may change.

Also outputs that were begun otherwise, and two commands with one output.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import soundfile

from benchmarks.attack import material
from benchmarks.attack.outcome import Fault, Plan, faults_of
from benchmarks.attack.processes import Helper, each, environment

LIMIT_S = 60.0
WORDS = b"the user's own words\n" * 20
LINES = b'{"file": "a.wav", "note": "mine"}\n{"file": "b.wav", "note": "mine, too"}\n'
ROWS = b"file,label,note\na.wav,anger,mine\nb.wav,sadness,mine\n"
MODEL = ("MODEL_CARD.md", "model.onnx", "model.safetensors", "fingerprints.bin")
RESULTS = (
    "results.json",
    "predictions.csv",
    "folds.json",
    "report.html",
    "report.md",
    "report.tex",
)
TINY = " ".join(one.replace(" ", "") for one in material.TINY)
FILES = 60


@dataclass(frozen=True)
class Case:
    """A command, run in a folder with the user's files.

    Attributes:
        command: arguments; ``{name}`` stands for something of :func:`_made`.
        files: contents by path.
        copied: what of :func:`_made` is copied to the folder ``own`` first; empty for nothing.
    """

    command: str
    files: dict[str, bytes]
    copied: str = ""


def attack(plan: Plan) -> None:
    """Try all cases of overwriting, of mixing and of two commands at once."""
    with closing(Helper()) as helper:
        made = _made(plan.folder / "made", helper)
    cases = [(case, partial(_overwritten, one)) for case, one in _overwriting().items()]
    cases += [(f"mixed/{name}", partial(_mixed, *both)) for name, both in _mixing().items()]
    cases += [(f"two/{suffix}", partial(_two, suffix)) for suffix in ("jsonl", "csv", "parquet")]
    wanted = [one for one in cases if plan.wants(one[0])]
    if plan.quick and not plan.only:
        wanted = wanted[:: len(wanted) // 8]
    plan.tally.planned = len(wanted)

    def tried(helper: Helper, case: str, one: partial[list[Fault]]) -> list[Fault]:
        folder = plan.folder / case.replace("/", "-")
        folder.mkdir()
        shutil.copytree(made["recordings"], folder / "recordings")
        return one(helper, folder, made)

    each(plan, wanted, tried)


def _made(folder: Path, helper: Helper) -> dict[str, Path]:
    """Make what the commands read."""
    table = material.corpus(folder / "corpus")
    model = material.model(folder / "model", table, helper)
    results, many = folder / "results", folder / "many"
    options = [*material.TINY, "protocol.validation_speakers=1"]
    done = helper.command("crossval", table, *options, "--out", results, folder=folder,
                          limit_s=2 * LIMIT_S)  # fmt: skip
    if done.code:
        raise SystemExit(f"the results to attack cannot be made:\n{done.error}")
    many.mkdir()
    for number in range(FILES):
        soundfile.write(many / f"{number}.wav", material.speech(number), material.RATE)
    recordings = folder / "recordings"
    recordings.mkdir()
    for number in range(3):
        shutil.copy(many / f"{number}.wav", recordings)
    config = folder / "ablation.yaml"
    config.write_text(
        f"base:\n  corpus: {{name: table, root: {table}}}\n  protocol: {{name: kfold, folds: 2}}\n"
        "  training: {epochs: 1}\n"
        "  model: {channels: [4, 6], time_strides: [2, 2], mel_pools: [2, 2]}\n"
        "ingredients: {mean: {model.summary: mean}}\nvariants: {baseline: [], other: [mean]}\n"
        "references: [baseline]\n"
    )
    return {"table": table, "model": model, "results": results, "many": many,
            "recordings": recordings, "ablation": config}  # fmt: skip


def _overwriting() -> dict[str, Case]:
    return {**_outputs(), **_pictures_and_speakers(), **_models(), **_results()}


def _outputs() -> dict[str, Case]:
    """What ``predict`` writes its answers to, with the files beside them."""
    found = {}
    for name, file, content in (
        ("jsonl", "own.jsonl", WORDS), ("jsonl-lines", "own.jsonl", LINES),
        ("csv", "own.csv", WORDS), ("csv-rows", "own.csv", ROWS), ("txt", "own.txt", WORDS),
        ("parquet", "own.parquet", WORDS), ("parquet-table", "own.parquet", _parquet()),
        ("rows", "own.parquet.csv", WORDS), ("rows-rows", "own.parquet.csv", ROWS),
        *((f"record-{kind}", f"own.{kind}.emotone.json", LINES)
          for kind in ("jsonl", "csv", "parquet", "txt")),
    ):  # fmt: skip
        out = ".".join(file.split(".")[:2])
        found[f"output/{name}"] = Case(f"predict recordings --output {out}", {file: content})
        if out.endswith((".csv", ".parquet")):
            command = f"predict recordings --embeddings {out}"
            found[f"embeddings/{name}"] = Case(command, {file: content})
    return found


def _pictures_and_speakers() -> dict[str, Case]:
    found = {"corpus-plot": Case("corpus {table} --plot own.png", {"own.png": WORDS})}
    for suffix in ("png", "svg", "pdf"):
        files = {f"own.{suffix}": WORDS}
        found[f"plot/{suffix}"] = Case(f"predict recordings/0.wav --plot own.{suffix}", files)
    speaker = "predict recordings/0.wav --speaker recordings/1.wav --save-speaker"
    found["speaker/json"] = Case(f"{speaker} own.json", {"own.json": LINES})
    found["speaker/recording"] = Case(f"{speaker} recordings/2.wav", {})
    found["speaker/text"] = Case(f"{speaker} own.txt", {"own.txt": WORDS})
    return found


def _models() -> dict[str, Case]:
    found = {
        f"export/{name}": Case("export {model} --out own", {f"own/{name}": WORDS}) for name in MODEL
    }
    found["export/text"] = Case("export {model} --out thesis.docx", {"thesis.docx": WORDS})
    found["export/onnx"] = Case("export {model} --out own.onnx", {"own.onnx": WORDS})
    own_model = {f"own/{name}": WORDS for name in MODEL}
    train = f"train {{table}} {TINY} protocol.validation_speakers=0 --out own"
    adapt = ("adapt {model} {table} training.epochs=1 protocol.name=kfold protocol.folds=2 "
             "--allow-overlap --out own")  # fmt: skip
    for command, words in (("train", train), ("adapt", adapt)):
        found[f"{command}/all"] = Case(words, own_model)
        found[f"{command}/card"] = Case(words, {"own/MODEL_CARD.md": WORDS})
    return found


def _results() -> dict[str, Case]:
    commands = {
        f"crossval {{table}} {TINY} protocol.validation_speakers=1 --out own": (
            *RESULTS, "config.yaml", "runs/own.json",
        ),
        "ablate {ablation} --out own": ("ablation.yaml", "results.json", "report.html"),
        "audit {model} {table} --limit 4 --out own": (
            "audit.json", "audit.html", "audit.md", "answers.jsonl", "report.html", "report.md",
        ),
        "report {results} --audformat own": ("db.yaml", "db.predictions.csv", "own.txt"),
        "report own": ("report.html", "report.md", "report.tex"),
    }  # fmt: skip
    return {
        f"{command.split()[0]}/{name}": Case(
            command, {f"own/{name}": WORDS}, "results" if command == "report own" else ""
        )
        for command, names in commands.items()
        for name in names
    }


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.table({"file": ["a.wav"], "note": ["mine"]}), sink)
    return bytes(sink.getvalue())


def _overwritten(case: Case, helper: Helper, folder: Path, made: dict[str, Path]) -> list[Fault]:
    if case.copied:
        shutil.copytree(made[case.copied], folder / "own")
    for name, content in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    before = _contents(folder / "recordings")
    before |= {folder / name: content for name, content in case.files.items()}
    command = case.command.format(**made).split()
    ended = helper.command(*command, folder=folder, limit_s=LIMIT_S)
    after = _contents(folder)
    lost = sorted(
        str(path.relative_to(folder))
        for path, content in before.items()
        if after.get(path) != content
    )
    faults = [one for one in faults_of(ended, LIMIT_S) if one.kind != "over 20 s"]
    return faults + ([Fault("lost data", f"{', '.join(lost)} of the user")] if lost else [])


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _mixing() -> dict[str, tuple[str, str]]:
    """Return options with which an output is begun, and others with which it is continued."""
    windows = "--segments --window 0.5 --hop 0.5"
    pairs = {
        "model": ("--model emotone-base", "--model emotone-8"),
        "own-model": ("--model emotone-base", "--model {model}"),
        "segments": ("", windows),
        "no-segments": (windows, ""),
        "window": (windows, "--segments --window 0.4 --hop 0.5"),
        "hop": (windows, "--segments --window 0.5 --hop 0.25"),
        "speaker": ("", "--speaker recordings/1.wav"),
        "threshold": ("--threshold 0.1", "--threshold 0.9"),
    }
    return {
        f"{suffix}/{name}": (f"{first} --output own.{suffix}", f"{then} --output own.{suffix}")
        for suffix in ("jsonl", "csv", "parquet")
        for name, (first, then) in pairs.items()
    }


def _mixed(
    first: str, then: str, helper: Helper, folder: Path, made: dict[str, Path]
) -> list[Fault]:
    (out,) = {words.split()[-1] for words in (first, then)}
    begun = first.format(**made).split()
    helper.command("predict", "recordings/0.wav", "recordings/1.wav", *begun, folder=folder)
    before = (folder / out).read_bytes()
    ended = helper.command("predict", "recordings", *then.format(**made).split(), folder=folder)
    faults = faults_of(ended)
    if (folder / out).read_bytes() != before:
        faults.append(Fault("lost data", f"begun with '{first}', mixed with '{then}'"))
    elif ended.code == 0:
        faults.append(Fault("other", "exit code 0, and nothing was written"))
    return faults


def _two(suffix: str, _helper: Helper, folder: Path, made: dict[str, Path]) -> list[Fault]:
    """Run one command twice at the same time."""
    out = folder / f"own.{suffix}"
    command = [sys.executable, "-m", "emotone", "predict", str(made["many"]), "--output", str(out)]
    both = [subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
            for _ in range(2)]  # fmt: skip
    codes = [process.wait(2 * LIMIT_S) for process in both]
    counts = Counter(_names(out)) if out.exists() else Counter()
    if 0 in codes and (len(counts) < FILES or max(counts.values()) > 1):
        twice = sum(count > 1 for count in counts.values())
        what = f"exit codes {codes}, {FILES - len(counts)} of {FILES} files lost, {twice} twice"
        return [Fault("lost data", what)]
    return [] if 0 in codes else [Fault("lost data", f"exit codes {codes}, both gave up")]


def _names(out: Path) -> Iterator[str]:
    if out.suffix == ".parquet":
        yield from pyarrow.parquet.read_table(out)["file"].to_pylist()
        return
    for line in out.read_text().splitlines():
        if out.suffix == ".jsonl" and line.startswith('{"file"'):
            yield json.loads(line)["file"]
        elif out.suffix == ".csv" and ".wav," in line:
            yield line.split(",")[0]
