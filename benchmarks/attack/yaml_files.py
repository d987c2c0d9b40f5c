"""Malformed configurations through ``emotone crossval``, as files and as ``key=value``."""

import json
import random
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.attack import material
from benchmarks.attack.outcome import Fault, Plan, faults_of, line_faults, not_finite
from benchmarks.attack.processes import Helper, each
from emotone.experiments.config import ExperimentConfig

FILES = 150
SHORT_S = 30.0  # a configuration that is accepted is trained
VALUES = (
    ".inf",
    "-.inf",
    ".nan",
    "-1",
    "text",
    "[]",
    "{a: 1}",
    "~",
    "!!int x",
    "1e400",
    "9" * 5000,
)
BASE = """corpus: {{name: table, root: {table}}}
protocol: {{name: kfold, folds: 2, validation_speakers: 1}}
features: {{mels: 16, hop_ms: 20.0, deltas: 1}}
model: {{channels: [4, 6], time_strides: [2, 2], mel_pools: [2, 2], lstm: 4, hidden: 4}}
training: {{epochs: 2, batch: 4}}
runtime: {{jobs: 1}}
"""


def bomb(levels: int = 9, width: int = 9) -> str:
    """Return a few hundred bytes of YAML that stand for ``width ** levels`` values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]")
    return "\n".join(lines)


# whole files; these must all be refused
REFUSED = {
    "bomb": bomb(),
    "bomb-small": bomb(6),
    "bomb-in-option": f"{bomb(7)}\ntraining: *a6\n",
    "bomb-merge": "a: &a {x: 1}\n" + "\n".join(
        f"b{n}: &b{n} {{<<: [{', '.join(['*a'] * 50)}]}}" for n in range(50)
    ),
    "recursive": "corpus: &a [*a]\n",
    "recursive-mapping": "training: &a {epochs: *a}\n",
    "deep": "[" * 900,
    "deep-closed": "corpus: " + "[" * 900 + "]" * 900,
    "deeper": "corpus: " + "[" * 50_000 + "]" * 50_000,
    "deep-mapping": "corpus: " + "{a: " * 900 + "1" + "}" * 900,
    "deep-blocks": "\n".join(" " * n + "a:" for n in range(900)),
    "digits": "seeds: [" + "9" * 5000 + "]\n",
    "hexadecimal": "seeds: [0x" + "f" * 20_000 + "]\n",
    "sexagesimal": "seeds: [" + ":".join(["59"] * 3000) + "]\n",
    "bad-int": "seeds: [!!int x]\n",
    "bad-float": "seeds: [!!float x]\n",
    "bad-bool": "seeds: [!!bool x]\n",
    "bad-date": "seeds: [!!timestamp x]\n",
    "no-date": "corpus: 2024-13-45\n",
    "no-time": "corpus: 2024-01-01 99:99:99\n",
    "bad-binary": "corpus: !!binary '***'\n",
    "null-of": "corpus: !!null x\n",
    "python": "corpus: !!python/object/apply:os.system ['echo x > executed']\n",
    "python-name": "corpus: !!python/name:os.system\n",
    "own-tag": "corpus: !own x\n",
    "pairs": "corpus: !!pairs [a, b]\n",
    "omap": "corpus: !!omap [a]\n",
    "set": "corpus: !!set [a]\n",
    "double-key": "training: {epochs: 1, epochs: 2}\n",
    "double-key-merged": "a: &a {x: 1}\ntraining: {<<: *a, <<: *a}\n",
    "double-section": "training: {}\ntraining: {}\n",
    "key-list": "? [a, b]\n: 1\n",
    "key-mapping": "? {a: b}\n: 1\n",
    "key-null": "~: 1\n",
    "key-nan": ".nan: 1\n",
    "key-number": "1: 1\n",
    "key-long": "x" * 5000 + ": 1\n",
    "unknown": "nothing: 1\n",
    "unknown-long": "training: {" + "x" * 3000 + ": 1}\n",
    "empty": "",
    "null": "~\n",
    "list": "[]\n",
    "scalar": "x\n",
    "scalar-long": "x" * 100_000,
    "two-documents": "corpus: {}\n---\ncorpus: {}\n",
    "tab": "corpus:\n\tname: table\n",
    "control": "corpus: \x00\x01\n",
    "surrogate": 'corpus: "\\ud800"\n',
    "undefined-alias": "corpus: *nothing\n",
    "directive": "%YAML 9.9\n---\ncorpus: {}\n",
    "unclosed": "corpus: {name: table\n",
    "quote": "corpus: 'x\n",
    "corpus-long": "corpus: {name: " + "x" * 20_000 + "}\n",
    "corpus-many": "corpus: [" + "{name: table, root: x}, " * 20_000 + "]\n",
    "value-long": "training: {epochs: " + "x" * 20_000 + "}\n",
    "value-list": "training: {epochs: [" + "1, " * 50_000 + "]}\n",
}  # fmt: skip


def attack(plan: Plan) -> None:
    """Try malformed files first, then malformed values of options."""
    table = material.corpus(plan.folder / "corpus")
    base = BASE.format(table=table)
    whole = [(case, ("file", text)) for case, text in REFUSED.items()]
    options = list(_options(base))
    random.Random(plan.seed).shuffle(options)
    options.sort(key=lambda one: not one[0].endswith(("=.inf", "=.nan")))
    chosen = whole + options
    if plan.quick:
        random.Random(plan.seed).shuffle(chosen)
    if plan.only:
        chosen = [one for one in chosen if plan.wants(one[0])]
    else:
        chosen = chosen[: plan.count(FILES)]
    plan.tally.planned = len(chosen)
    each(plan, chosen, partial(_tried, plan.folder, base))


def _options(base: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield bad values for each option that is a number, in a file and on the command line."""
    values = ExperimentConfig.model_validate(yaml.safe_load(base)).model_dump(mode="json")
    for key in _numbers({name: values[name] for name in ("protocol", "features", "model",
                                                         "training")}):  # fmt: skip
        for value in VALUES:
            yield f"{key}={value[:20]}", ("option", f"{key}={value}")


def _numbers(values: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{above}{key}"


def _tried(root: Path, base: str, helper: Helper, case: str, item: tuple[str, str]) -> list[Fault]:
    kind, text = item
    folder = root / re.sub(r"\W", "_", case)
    folder.mkdir()
    path = folder / "config.yaml"
    path.write_text(text if kind == "file" else base, encoding="utf-8")
    overrides = [text] if kind == "option" else []
    ended = helper.command(
        "crossval", path, *overrides, "--out", folder / "out", folder=folder, limit_s=SHORT_S
    )
    faults = [*faults_of(ended, SHORT_S), *line_faults(ended)]
    if kind == "file" and ended.code == 0:
        faults.append(Fault("other", "a malformed file is accepted"))
    if (folder / "executed").exists():
        faults.append(Fault("other", "code of the file was executed"))
    if ended.code == 0 and _nan_in(folder / "out"):
        faults.append(Fault("NaN", "in the results of a training that seems to have worked"))
    return faults


def _nan_in(out: Path) -> bool:
    results = not_finite(json.loads((out / "results.json").read_text()))
    return results or "nan" in (out / "predictions.csv").read_text()
