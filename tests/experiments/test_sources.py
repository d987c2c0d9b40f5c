from pathlib import Path

import pytest

from emotone.corpora.audformat import AudformatOptions
from emotone.corpora.emodb import EmodbOptions
from emotone.corpora.emovo import EmovoOptions
from emotone.corpora.table import TableOptions
from emotone.errors import UsageError
from emotone.experiments import config, variants
from emotone.experiments.corpus_arguments import corpus_options, overrides_of
from emotone.experiments.overrides import PRESETS
from emotone.experiments.sources import configuration
from tests.helpers import small_audformat

SHIPPED = config.load(PRESETS / "emodb.yaml", ["corpus.root=some/folder"])


@pytest.mark.parametrize("source", ["emodb", "emodb.yaml", "experiments/emodb.yaml"])
@pytest.mark.parametrize("argument", ["some/folder", "corpus.root=some/folder"])
def test_a_shipped_configuration_has_a_name_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, argument: str
) -> None:
    (tmp_path / "emodb").mkdir()  # a folder of the same name, such as the corpus's
    monkeypatch.chdir(tmp_path)
    assert configuration(source, [argument]) == SHIPPED
    named = variants.load("ablation-emodb", overrides_of([argument]))
    assert named.base.corpus == SHIPPED.corpus


def test_a_file_of_ones_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "emodb.yaml").write_text("corpus: {name: emodb}\nseeds: [7]\n")
    assert configuration("emodb.yaml").seeds == (7,)
    assert configuration("emodb").seeds == (0,)


def test_a_table_a_database_and_a_corpus(tmp_path: Path) -> None:
    assert configuration("my/own.csv", ["seeds=[3]"]).corpus == (
        TableOptions(root=Path("my/own.csv")),
    )
    assert configuration("emovo", ["there"]).corpus == (EmovoOptions(root=Path("there")),)
    small_audformat(tmp_path)
    assert configuration(str(tmp_path)).corpus == (AudformatOptions(root=tmp_path),)
    (tmp_path / "db.yaml").unlink()
    with pytest.raises(UsageError, match=r"is a folder; say which corpus it holds"):
        configuration(str(tmp_path))
    with pytest.raises(UsageError, match=r"emodbb: expected a configuration .*did you mean 'emodb"):
        configuration("emodbb")


@pytest.mark.parametrize("root", ["2024", "a: b", "# x", "[1]", 'quo"te', "ümlaut", "a=b"])
def test_a_root_is_a_path_whatever_it_is_called(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / root).mkdir()
    assert corpus_options("emodb", [root, "keep=[anger]"]) == EmodbOptions(
        root=Path(root), keep=("anger",)
    )


def test_options_of_a_corpus_may_begin_with_its_section() -> None:
    asked = corpus_options("my.csv", ["corpus.map={a: b}", "exclude=[x.wav]"])
    assert asked == TableOptions(root=Path("my.csv"), map={"a": "b"}, exclude=("x.wav",))
    assert corpus_options("emodb", []) == EmodbOptions()


def test_words_too_long_for_a_path_are_no_paths() -> None:
    with pytest.raises(UsageError, match=r"training\.augment\.equaliser_db.*is not valid YAML|got"):
        configuration("emodb", ["training.augment.equaliser_db=" + "9" * 5000])
    with pytest.raises(UsageError, match="expected a configuration file"):
        configuration("a" * 5000)
