"""``docs/how-to/add-a-corpus.md``, followed to the letter in a folder of the test."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emotone.corpora import READERS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("how-to")]  # one fixture for all

ROOT = Path(__file__).parents[2]

# Imports emotone.corpora and tests.corpora with one more folder on the path of each.
PLUGIN = """
import importlib.util
import sys
from pathlib import Path

import emotone
import tests.corpora

folder = Path(__file__).parent
spec = importlib.util.find_spec("emotone.corpora")
spec.submodule_search_locations.append(str(folder / "corpora"))
emotone.corpora = sys.modules["emotone.corpora"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(emotone.corpora)
tests.corpora.__path__.append(str(folder / "tests"))
"""
COMMAND = "import with_toy, emotone.cli; emotone.cli.main()"
EXPERIMENT = """
import with_toy, json, sys
from pathlib import Path
from emotone import cli, corpora
from emotone.evaluation.folds import make_folds
from emotone.experiments.config import load
from tests.corpora.test_toy import example

example(Path("toy"))
config = load(Path("toy.yaml"))
folds = make_folds(corpora.read_all(config.corpus), config.protocol)
print(json.dumps([fold.speakers["test"] for fold in folds]))
sys.argv = ["emotone", "corpus", "toy", "toy", "--json"]
cli.main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that ``add-a-corpus.md`` asks for."""
    page = (ROOT / "docs" / "how-to" / "add-a-corpus.md").read_text(encoding="utf-8")
    reader, test = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    folder = tmp_path_factory.mktemp("how-to")
    for path, text in (
        ("with_toy.py", PLUGIN),
        ("corpora/toy.py", reader),
        ("tests/test_toy.py", test),
    ):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str) -> str:
    """Run Python in the folder, with the folder and this repository on its path."""
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_added_corpus_passes_its_test_and_the_contract(folder: Path) -> None:
    contract = str(ROOT / "tests" / "corpora" / "test_corpora.py")
    out = run(
        folder, "-m", "pytest", "-p", "with_toy", "-p", "no:cacheprovider", "-rA", "-k", "toy",
        f"--rootdir={ROOT}", "-c", str(ROOT / "pyproject.toml"), "tests/test_toy.py", contract,
    )  # fmt: skip
    passed = re.findall(r"^PASSED \S+::(\w+)(?:\[toy\])?$", out, re.MULTILINE)
    assert set(passed) >= {
        "test_names",
        "test_each_reader_keeps_the_contract",
        "test_each_reader_documents_its_corpus",
        "test_the_documented_emotions_are_those_of_the_labels",
        "test_a_root_without_the_corpus_is_an_error",
    }


def test_an_added_corpus_is_listed(folder: Path) -> None:
    listed = {
        row["name"]: row for row in json.loads(run(folder, "-c", COMMAND, "corpora", "--json"))
    }
    assert set(listed) == {*READERS, "toy"}
    assert listed["toy"]["home_page"] == "https://example.org/toy"
    assert listed["toy"]["speakers"] == 4


def test_an_added_corpus_is_inspected_and_used_in_an_experiment(folder: Path) -> None:
    (folder / "toy.yaml").write_text(json.dumps({"corpus": {"name": "toy", "root": "toy"}}))
    out = run(folder, "-c", EXPERIMENT)
    speakers, facts = (json.loads(text) for text in out.split("\n", 1))
    assert speakers == [["ann"], ["eve"], ["mia"], ["zoe"]]  # left out in turn
    assert facts["corpus"] == "toy"
    assert facts["emotions"] == {"anger": 8, "sadness": 8}
    assert facts["sexes"] == {"female": 4}
