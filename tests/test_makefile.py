"""What make runs for the tables can be read: its commands, files and options."""

import re
import shlex
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from emotone.experiments.config import ExperimentConfig, load
from emotone.experiments.overrides import PRESETS
from emotone.experiments.variants import load as load_ablation
from emotone.inference import model_folder

ROOT = Path(__file__).parents[1]
NETWORKS = re.compile(r"out/pretrained/[\w-]+")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(*targets: str) -> str:
    """What make would run."""
    asked = ["make", "--dry-run", "--old-file=.venv/installed", "DATA=data", *targets]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def commands(*targets: str) -> list[list[str]]:
    """The words of all ``emotone`` commands that make would run."""
    lines = make(*targets).replace("\\\n", " ").splitlines()
    found = [shlex.split(line) for line in lines if "bin/emotone " in line]
    assert found
    return [words[1:] for words in found]


@pytest.mark.parametrize("target", ["benchmark", "choices"])
def test_ablations_are_of_files_that_ship_and_of_variants_they_have(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folder, "locate", lambda name: model_folder.MODELS / "emotone-8")
    for command, file, *rest in commands(target):
        assert command == "ablate"
        overrides = [word for word in rest if word.startswith("corpus.")]
        loaded = load_ablation(PRESETS / f"{file}.yaml", overrides)
        only = {after for word, after in pairwise(rest) if word == "--only"}
        assert only <= loaded.variants.keys()
        corpus = file.rpartition("-")[2]
        assert rest[rest.index("--out") + 1] == f"results/{target}/{corpus}"
        for row in loaded.variants.values():
            if row.pretraining is not None and row.pretraining.model is not None:
                assert row.pretraining.model.endswith(f"-without-{corpus}")


def test_networks_are_trained_on_all_corpora_but_one_in_the_sizes_that_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_folder, "locate", lambda name: model_folder.MODELS / "emotone-8")
    started = {}  # by the folder of the network: what starts from it
    for path in PRESETS.glob("*-*.yaml"):
        if path.stem.startswith(("benchmark", "choices")):
            for row in load_ablation(path).variants.values():
                if row.pretraining is not None:
                    started[row.pretraining.model] = row
    made = commands(*(f"{folder}/config.json" for folder in started), "KEPT=nowhere")
    shared = 1  # EMOVO's, of the choices and of the tables
    assert len(made) == len(started) == 5 + 2 + 7 * 3 - shared
    for command, file, *overrides, out, folder in made:
        assert (command, out) == ("train", "--out")
        network = load(PRESETS / f"{file}.yaml", overrides)
        names = [options.name for options in network.corpus]
        assert len(names) == 6
        assert folder.rpartition("-")[2] not in names
        assert (network.features, network.model) == (
            started[folder].features,
            started[folder].model,
        )


def test_networks_that_are_kept_are_taken_instead(tmp_path: Path) -> None:
    (tmp_path / "default-without-emodb").mkdir()
    (tmp_path / "default-without-emodb" / "config.json").touch()
    asked = ["out/pretrained/default-without-emodb/config.json", f"KEPT={tmp_path}"]
    done = make(*asked)
    assert done.splitlines() == [
        "mkdir -p out/pretrained",
        f"cp -R {tmp_path}/default-without-emodb out/pretrained/default-without-emodb",
    ]


def test_new_sentences_are_tested_in_the_folds_of_known_ones() -> None:
    made: dict[str, list[ExperimentConfig]] = {}
    for command, name, root, *overrides, out, folder in commands("text-independent"):
        assert (command, root, out) == ("crossval", f"corpus.root=data/{name}", "--out")
        place, _, sentences = folder.rpartition("/")
        asked = load(PRESETS / f"{name}.yaml", overrides)
        options = asked.protocol
        assert options.text_independent == (sentences == "other")
        assert options.text_matched == (sentences == "same")
        same = {"text_independent": False, "text_matched": False}
        protocol = options.model_copy(update=same)
        made.setdefault(place, []).append(asked.model_copy(update={"protocol": protocol}))
    folders = [f"{name}/{system}" for system in ("svm", "default") for name in ("emodb", "ravdess")]
    assert list(made) == [f"results/text-independent/{folder}" for folder in folders]
    for all_of_them, matched, other in made.values():
        assert all_of_them == matched == other


def test_few_labels_are_of_corpora_that_the_start_has_not_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_folder, "locate", lambda name: model_folder.MODELS / "emotone-8")
    (train, base, *overrides, out, started), *ablations = commands("few-labels")
    assert (train, base, out) == ("train", "emotone-base", "--out")
    here = [word for word in overrides if "_folder=" not in word]
    start = load(PRESETS / "emotone-base.yaml", here)
    heard = [options.name for options in start.corpus]
    assert heard == ["emodb", "ravdess", "nemo", "aesdd", "ased"]
    for command, file, corpus, root, few, out, folder in ablations:
        assert (command, file, out) == ("ablate", "few-labels", "--out")
        loaded = load_ablation(PRESETS / "few-labels.yaml", [corpus, root, few])
        name = corpus.removeprefix("corpus.name=")
        assert name not in heard
        assert root == f"corpus.root=data/{name}"
        assert folder == f"results/few-labels/{name}/{few.rpartition('=')[2]}"
        adapted = loaded.variants["adapted"]
        assert adapted.pretraining is not None
        assert adapted.pretraining.model == started
        assert (adapted.features, adapted.model) == (start.features, start.model)
    assert len(ablations) == 2 * 4


@pytest.mark.xdist_group("made")
def test_tests_of_a_group_stay_in_one_process(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("needs make test")
    assert request.node.nodeid.endswith("@made")  # by which pytest-xdist groups them
