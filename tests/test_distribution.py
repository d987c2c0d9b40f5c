"""Wheel and sdist: what is in them, and that the wheel answers where only the base install is."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import soundfile

from tests.helpers import spoken

pytest.importorskip("setuptools", minversion="77", reason="needs setuptools 77, which builds")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("distribution")]  # one fixture for all

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = f"emotone-{PROJECT['version']}"
SOURCES = ("src", "tests", "README.md", "LICENSE", "pyproject.toml", "CHANGELOG.md")
BUILD = (
    "import sys; from setuptools import build_meta; out = sys.argv[1]; "
    "print(build_meta.build_sdist(out), build_meta.build_wheel(out))"
)


def built(source: Path, out: Path) -> tuple[Path, Path]:
    """Build sdist and wheel of a folder."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(out)], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    sdist, wheel = done.stdout.split()[-2:]
    return out / sdist, out / wheel


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sdist of the repository, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    copy = folder / "copy"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy / name)
    sdist, _ = built(copy, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    again = folder / "again"
    again.mkdir()
    return sdist, built(folder / NAME, again)[1]


def test_the_wheel_has_all_that_the_package_reads(dist: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(dist[1]) as archive:
        packed = {name for name in archive.namelist() if name.startswith("emotone/")}
    package = ROOT / "src" / "emotone"
    there = {
        f"emotone/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there
    assert "emotone/pretrained/emotone-base/model.onnx" in packed


def test_the_sdist_has_licence_and_readme(dist: tuple[Path, Path]) -> None:
    with tarfile.open(dist[0]) as archive:
        names = set(archive.getnames())
    for name in ("LICENSE", "README.md", "pyproject.toml", "src/emotone/py.typed"):
        assert f"{NAME}/{name}" in names


def test_the_metadata_is_that_of_the_project(dist: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(dist[1]) as archive:
        text = archive.read(f"{NAME}.dist-info/METADATA").decode()
    assert f"\nVersion: {PROJECT['version']}\n" in text
    assert "\nLicense-Expression: MIT\n" in text
    for extra in PROJECT["optional-dependencies"]:
        assert f"\nProvides-Extra: {extra}\n" in text


def required(names: list[str]) -> set[str]:
    """The distributions that the base install needs, those that they need included."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = re.split(r"[^\w.-]", left.pop())[0].lower().replace("_", "-")
        if name in found:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # for another system or Python
            continue
        found.add(name)
        left += [one for one in needs if "extra ==" not in one]
    return found


def linked(names: set[str], folder: Path) -> None:
    """Make installed distributions available in another environment, and nothing else."""
    for name in names:
        found = distribution(name)
        site = Path(str(found.locate_file("")))
        for top in {Path(str(file)).parts[0] for file in found.files or []}:
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(site / top)


@pytest.fixture(scope="module")
def empty(dist: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and what the base install needs."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    (site,) = (folder / "lib").glob("python*/site-packages")
    linked(required(PROJECT["dependencies"]), site)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    wheel = [*pip, "install", "--quiet", "--no-deps", "--no-index", str(dist[1])]
    subprocess.run(wheel, check=True, capture_output=True)
    return python


def ran(python: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [str(python), "-m", "emotone", *arguments],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
    )


def test_the_wheel_answers_on_a_file_in_an_empty_environment(empty: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", spoken(0, 4), 16_000)
    code = "import emotone, sys; print(emotone.__file__); import torch"
    looked = subprocess.run(
        [str(empty), "-c", code],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert looked.stdout.startswith(str(empty.parents[1]))  # not the repository's
    assert "No module named 'torch'" in looked.stderr
    done = ran(empty, "predict", "call.wav", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["label"] in ("anger", "happiness", "neutral", "sadness")
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    listed = ran(empty, "models", folder=tmp_path)
    assert listed.stdout.startswith("emotone-base (shipped, the default)"), listed.stderr


def test_the_wheel_says_what_training_needs(empty: Path, tmp_path: Path) -> None:
    done = ran(empty, "crossval", "emodb", "--out", "out", folder=tmp_path)
    assert done.returncode == 1
    assert re.search(r"pip install 'emotone\[train\]'", done.stderr)
