"""The list of options is whole, and right about types, ranges and defaults."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from emotone.corpora import READERS
from emotone.errors import UsageError
from emotone.experiments.config import checked, load
from emotone.experiments.option_list import REQUIRED, Option, all_options, matching
from emotone.experiments.option_template import template
from emotone.experiments.overrides import PRESETS, set_value
from emotone.experiments.sources import configuration
from emotone.models.registry import MODEL_KINDS
from emotone.models.summaries import SUMMARIES
from tests.helpers import ABLATIONS

OPTIONS = all_options()
CONFIGURATIONS = sorted(
    path.stem for path in PRESETS.glob("*.yaml") if not path.stem.startswith(ABLATIONS)
)


def one(key: str, only_with: str = "") -> Option:
    (found,) = [each for each in OPTIONS if (each.key, each.only_with) == (key, only_with)]
    return found


def values_with(option: Option, value: Any) -> dict[str, Any]:
    """The smallest configuration that has an option."""
    key, _, needed = option.only_with.partition("=")
    values: dict[str, Any] = {"corpus": {"name": needed if key == "corpus.name" else "emodb"}}
    if key == "model.kind":
        values["model"] = {"kind": needed}
        if needed == "acrnn-3d":
            values["training"] = {"segment_s": 3.0, "crop": 1.0}
        if needed == "ssl":
            values["training"] = {"augment": {"warp": 0, "level_db": 0, "equaliser_db": 0}}
    set_value(values, option.key, value, option.key)
    return values


def test_every_option_has_a_meaning_and_is_listed_once() -> None:
    assert [option.key for option in OPTIONS if not option.meaning] == []
    assert len({(option.key, option.only_with) for option in OPTIONS}) == len(OPTIONS)
    keys = [option.key for option in OPTIONS]
    for key in ("corpus.root", "protocol.seed", "training.disturb.codec", "seeds", "runtime.jobs"):
        assert key in keys
    assert {option.only_with for option in OPTIONS} >= {
        f"model.kind={kind}" for kind in MODEL_KINDS
    }


def test_types_ranges_and_defaults() -> None:
    assert one("training.epochs") == Option(
        "training.epochs", "int", "120", "≥ 1", "passes over the training set, at most"
    )
    assert one("model.kernel_widths", "model.kind=crnn").range == "each ≥ 1, ≤ 63"
    assert one("training.segment_s").type == "float or null"
    assert one("training.warmup").range == "≥ 0, < 1"
    assert one("protocol.validation").type == "speakers | session | session_speakers | partner"
    assert one("corpus.name").type.split(" | ") == list(READERS)
    assert one("corpus.name").default == REQUIRED
    assert one("corpus.map").type == "mapping of text to text or null"
    assert one("corpus.part", "corpus.name=iemocap").default == "all"
    assert one("model.kind").default == "crnn"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"{option.key} {option.only_with}")
def test_every_default_is_valid_and_is_the_default(option: Option) -> None:
    needs_a_folder = option.key.startswith(("pretraining.", "training.teacher."))
    if option.default == REQUIRED or needs_a_folder:
        return
    given = checked(values_with(option, yaml.safe_load(option.default)), option.key)
    without = values_with(option, None)
    section, _, last = option.key.rpartition(".")
    place = without
    for part in section.split(".") if section else ():
        place = place[part]
    del place[last]
    assert given == checked(without, option.key)


@pytest.mark.parametrize(
    "option", [each for each in OPTIONS if each.range], ids=lambda option: option.key
)
def test_a_value_outside_of_the_range_is_refused(option: Option) -> None:
    limit, least = option.range.removeprefix("each ").split(", ")[0].split()
    assert limit in ("≥", ">")
    outside: Any = float(least) - (1 if limit == "≥" else 0)
    if option.type.startswith(("int", "list of int")):
        outside = int(outside)
    if option.type.startswith("list"):
        outside = [outside]
    with pytest.raises(UsageError, match=r"greater than"):
        checked(values_with(option, outside), option.key)


def test_the_summaries_are_those_that_exist() -> None:
    meaning = one("model.summary", "model.kind=crnn").meaning
    assert all(f"`{name}`" in meaning for name in SUMMARIES)


def test_a_key_finds_a_section_an_option_or_its_last_name() -> None:
    assert [found.key for found in matching("seeds")] == ["seeds"]
    assert {found.section for found in matching("training.augment")} == {"training.augment"}
    assert [found.key for found in matching("warp")] == ["training.augment.warp"]
    assert [found.key for found in matching("head_epochs")] == ["pretraining.head_epochs"]
    with pytest.raises(UsageError, match=r"unknown option 'trainng'; did you mean 'training'\?"):
        matching("trainng")
    with pytest.raises(UsageError, match=r"unknown option 'zzz'; emotone config lists all"):
        matching("zzz")


@pytest.mark.parametrize("name", [*READERS, *CONFIGURATIONS])
def test_a_template_loads_back(name: str, tmp_path: Path) -> None:
    config = configuration(name)
    path = tmp_path / "template.yaml"
    path.write_text(template(config), encoding="utf-8")
    loaded = load(path)
    assert loaded.model_copy(update={"corpus": config.corpus}) == config
    for read, given in zip(loaded.corpus, config.corpus, strict=True):
        assert read.model_copy(update={"root": None}) == given
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 120


def test_a_template_explains_every_option_above_it() -> None:
    lines = template(configuration("iemocap")).splitlines()
    for number, line in enumerate(lines):
        if line and not line.lstrip().startswith("#"):
            assert lines[number - 1].lstrip().startswith("#"), line
    at = lines.index("  epochs: 120")
    assert lines[at - 1] == "  # passes over the training set, at most"
    assert "  root: FOLDER_OF_IEMOCAP" in lines
    assert "  root: null" in template(configuration("synthetic")).splitlines()
