"""What the pages show is there: commands, options, configurations, files, Python."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from matplotlib import pyplot

import emotone
from emotone.cli.app import app
from emotone.corpora import READERS
from emotone.errors import UsageError
from emotone.experiments import variants
from emotone.experiments.config import checked
from emotone.experiments.overrides import set_option
from emotone.models.registry import MODEL_KINDS
from emotone.reporting import plots
from tests.made_results import made_results

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAM: Any = typer.main.get_command(app)
SECTIONS = "corpus|protocol|features|model|training|pretraining|runtime|seeds"
OPTION = re.compile(rf"(?:{SECTIONS})\b[\w.]*=(?:[^\[{{…]*|\[[\d,]*\])")


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def code(page: str, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(text_of(page)) if found == language]


def command_lines(page: str) -> Iterator[list[str]]:
    """The words of each ``emotone`` command, in blocks and within the text."""
    inline = re.findall(r"`(emotone [^`]+)`", BLOCK.sub("", text_of(page)))
    lines = [*"".join(code(page, "sh")).splitlines(), *(" ".join(one.split()) for one in inline)]
    for line in lines:
        words = shlex.split(line.partition(" > ")[0], comments=True)
        if words and words[0] == "emotone":
            yield words[1:]


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_options_exist(page: str) -> None:
    for name, *words in command_lines(page):
        if name.startswith("-") or name == "COMMAND":
            continue
        known = {option for one in PROGRAM.commands[name].params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}


@pytest.mark.parametrize("page", PAGES)
def test_whole_commands_can_be_typed(page: str) -> None:
    """Commands of the tutorials are complete: nothing required is missing."""
    if not page.startswith("tutorials/"):
        return
    for line in "".join(code(page, "sh")).splitlines():
        words = shlex.split(line.partition(" > ")[0], comments=True)
        if words[:1] == ["emotone"]:
            PROGRAM.commands[words[1]].make_context(words[1], words[2:])


def is_known(option: str, corpus: str, kind: str) -> bool:
    values: dict[str, Any] = {"corpus": {"name": corpus}, "model": {"kind": kind}}
    set_option(values, option)
    try:
        checked(values, option)
    except UsageError as error:
        return "unknown option" not in str(error)
    return True


@pytest.mark.parametrize("page", PAGES)
def test_options_exist(page: str) -> None:
    inline = re.findall(r"`([^`\n]+)`", BLOCK.sub("", text_of(page)))
    words = [word for line in command_lines(page) for word in line]
    words += [word for text in inline for word in text.split(" ")]
    for option in sorted({word for word in words if OPTION.fullmatch(word)}):
        pairs = ((corpus, kind) for corpus in READERS for kind in MODEL_KINDS)
        assert any(is_known(option, *pair) for pair in pairs), option


@pytest.mark.parametrize("page", PAGES)
def test_python_is_valid(page: str) -> None:
    for text in code(page, "python"):
        ast.parse(text)


@pytest.mark.parametrize("page", ["tutorials/train.md", "explanation/ingredients.md"])
def test_ablations_that_are_shown_can_be_loaded(page: str, tmp_path: Path) -> None:
    (text,) = code(page, "yaml")
    path = tmp_path / "ablation.yaml"
    path.write_text(text, encoding="utf-8")
    assert "ComParE 2016 + SVM" in variants.load(path).variants


@pytest.mark.parametrize("page", PAGES)
def test_files_of_the_repository_exist(page: str) -> None:
    named = re.findall(
        r"`((?:experiments|src|docs|examples|benchmarks|results|tests)/[\w./-]*\w)`", text_of(page)
    )
    examples = ("src/emotone/corpora/toy.py", "src/emotone/models/level_bayes.py",
                "src/emotone/models/mean_pool.py", "tests/corpora/test_toy.py")  # fmt: skip
    assert [name for name in named if name not in examples and not (ROOT / name).exists()] == []


def test_the_figure_that_is_shown_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = code("how-to/add-a-figure.md", "python")
    figures = plots.Figures[Any]()
    names = vars(plots) | {"EXPERIMENT": figures}
    exec(compile(text, "add-a-figure.md", "exec"), names)
    drawing = names["recall_bars"](made_results())
    (section,) = figures.sections(made_results())
    assert section.title == "Recall of the emotions"
    recall = made_results().scores.recall
    bars = drawing.pictures[0].axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx(
        [100 * share for share in recall.values() if share is not None]
    )
    pyplot.close("all")


MEMBER = re.compile(r"^::: (emotone[\w.]*)\.(\w+)$", re.MULTILINE)
WHOLE = (  # modules of which all that is exported is documented
    "emotone.errors", "emotone.evaluation.metrics", "emotone.evaluation.results",
    "emotone.experiments.config",
)  # fmt: skip


def imported(name: str) -> Any:
    import importlib

    return importlib.import_module(name)


def test_the_python_page_documents_what_modules_export() -> None:
    page = text_of("reference/python.md")
    documented = [(module, name) for module, name in MEMBER.findall(page)
                  if f"{module}.{name}" not in WHOLE]  # fmt: skip
    assert len(documented) > 15
    for module, name in documented:
        assert name in imported(module).__all__, f"{module}.{name}"
        assert getattr(imported(module), name).__doc__
    top = {name for _, name in documented}
    assert set(emotone.__all__) <= top
    for module in WHOLE:
        shown = re.search(rf"^::: {module}\n(?: .*\n)*? +members: \[(.*)\]", page, re.MULTILINE)
        exported = imported(module).__all__
        assert shown is None or set(shown[1].split(", ")) == set(exported)
        assert all(getattr(imported(module), name).__doc__ for name in exported)
    assert all(getattr(emotone, name) is not None for name in emotone.__all__)
