from pathlib import Path
from typing import Any

import pytest
import yaml

from emotone.corpora.emodb import EmodbOptions
from emotone.errors import UsageError
from emotone.experiments import config
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.overrides import PRESETS, read_yaml, set_option
from emotone.models.crnn import CrnnOptions
from tests.helpers import ABLATIONS

EXPERIMENTS = sorted(
    file.name for file in PRESETS.glob("*.yaml") if not file.name.startswith(ABLATIONS)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "e.yaml"
    path.write_text("corpus: {name: emodb}\ntraining: {epochs: 7}\n")
    return path


def test_overrides_win_and_keep_their_types(path: Path) -> None:
    loaded = config.load(
        path,
        ["corpus.root=some/folder", "training.augment.warp=0.2", "model.kernel_widths=[3,5]",
         "seeds=[0,1,2]", "features.dynamic_range_db=null"],
    )  # fmt: skip
    assert loaded.corpus == (EmodbOptions(root=Path("some/folder")),)
    assert loaded.training.epochs == 7
    assert loaded.training.augment.warp == 0.2
    assert loaded.model == CrnnOptions(kernel_widths=(3, 5))
    assert loaded.seeds == (0, 1, 2)
    assert loaded.features.dynamic_range_db is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=3", "unknown option 'training.epoch'; did you mean 'epochs'?"),
        ("training.augment.wrap=0", "unknown option 'training.augment.wrap'; did you mean 'warp'?"),
        ("epochs=3", "unknown option 'epochs'; did you mean 'training.epochs'?"),
        ("model.jobs=3", "unknown option 'model.jobs'; did you mean 'runtime.jobs'?"),
        ("corpus.rot=x", "unknown option 'corpus.rot'; did you mean 'root'?"),
        ("modell.lstm=3", "unknown option 'modell'; did you mean 'model'?"),
        ("features.zzz=3", "unknown option 'features.zzz'; known are hop_ms, window_ms,"),
        ("corpus.name=emobd", "got 'emobd'; did you mean 'emodb'?"),
        ("training.epochs=many", "training.epochs: input should be a valid integer"),
        ("training.learning_rate=.inf", "training.learning_rate: input should be a finite number"),
        ("training.label_smoothing=.nan", "input should be a finite number, got nan"),
        ("training.epochs=0", "training.epochs: input should be greater than or equal to 1, got 0"),
        ("training.epochs", "'training.epochs' is not of the form key=value"),
        ("=3", "'=3' is not of the form key=value"),
        ("training.epochs.x=3", "'training.epochs.x=3': epochs has no options of its own"),
        ("runtime.log=csv", "runtime.log: expected a list, such as [csv], got 'csv'"),
        ("seeds=[1,1]", "give at least one seed, each once"),
        ("seeds=[18446744073709551616]", "an integer of more than 64 bits"),
        ("seeds=[4294967296]", "seeds.0: input should be less than 4294967296, got 4294967296"),
        ("seeds=[", "the value is not valid YAML"),
        ("seeds=!!int x", "the value is not valid YAML"),
        ("pretraining={model: x, model: y}", "'model' is given twice"),
        ("pretraining={head_epoch: 1}", "'pretraining.head_epoch'; did you mean 'head_epochs'?"),
        ("pretraining={head_epochs: 1}", "give the model to start from, pretraining.model=FOLDER"),
        ("pretraining.convolution_rate=-1", "should be greater than or equal to 0, got -1"),
        ("training.segment_answer=max", "segment_answer applies to segments"),
        ("model.kind=acrn", "must be one of acrnn-3d, crnn, opensmile-svm, ssl, got 'acrn'"),
        (
            "corpus={nam: emodb}",
            "ravdess, savee, synthetic, table, tess, urdu; did you mean 'name' by 'nam'?",
        ),
        ("corpus={root: x}", "corpus.name is missing; expected one of aesdd, ased,"),
        ("model={kind: acrnn-3d, lsmt: 3}", "unknown option 'model.lsmt'; did you mean 'lstm'?"),
        ("model.mel_pools=[4,4,4,4]", "leave no mel band: 64 bands, pooled 256 times"),
        ("model.kernel_widths=[4]", "model: kernel_widths must be odd and at least one, got [4]"),
    ],
)
def test_bad_options_are_refused_with_a_hint(path: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.load(path, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"name of one that ships: .*demo, .*emodb"):
        config.load(tmp_path / "gone.yaml")
    (tmp_path / "bad.yaml").write_text("corpus: [")
    with pytest.raises(UsageError, match="not valid YAML"):
        config.load(tmp_path / "bad.yaml")
    for text, message in (
        ("seeds: [1]\ncorpus: {name: emodb}\nseeds: [2]", "'seeds' is given twice .* line 3"),
        ("corpus: {name: emodb, keep: [fear], keep: [anger]}", "'keep' is given twice"),
        ("a: !!python/object:os.system {}", "could not determine a constructor"),
        ("a: !!int x", "not valid YAML: not a valid int in line 1, column 4$"),
        ("? [1]\n: 2\n? {a: 1}\n: 2", "found unhashable key"),
        ("[" * 5000, "not valid YAML: nested deeper than 50 levels"),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(UsageError, match=message) as caught:
            config.load(tmp_path / "bad.yaml")
        assert "\n" not in str(caught.value)
    (tmp_path / "bad.yaml").write_bytes(b"corpus: \xff")
    with pytest.raises(UsageError, match=r"not valid YAML: .*in UTF-8"):
        config.load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UsageError, match="expected sections such as 'corpus:', got list"):
        config.load(tmp_path / "list.yaml")
    with pytest.raises(UsageError, match="this is an ablation; give it to emotone ablate"):
        config.load(PRESETS / "ablation-emodb.yaml")
    (tmp_path / "none.yaml").write_text("training: {epochs: 3}")
    with pytest.raises(UsageError, match="corpus: field required"):
        config.load(tmp_path / "none.yaml")
    (tmp_path / "none.yaml").write_text("corpsu: {name: emodb}")
    with pytest.raises(UsageError, match="unknown option 'corpsu'; did you mean 'corpus'"):
        config.load(tmp_path / "none.yaml")


def test_options_beside_a_section_that_one_of_them_stands_for(path: Path) -> None:
    alone, weight = "training.teacher=out", "training.teacher.weight=0.2"
    for overrides in ([alone, weight], [weight, alone]):
        values = overridden(path, overrides)
        assert values["training"] == {"epochs": 7, "teacher": {"results": "out", "weight": 0.2}}
    assert overridden(path, [alone, "training.teacher=null"])["training"]["teacher"] is None
    path.write_text("training: {teacher: out}\n")
    values = overridden(path, [weight])
    assert values["training"]["teacher"] == {"results": "out", "weight": 0.2}


def overridden(path: Path, overrides: list[str]) -> dict[str, Any]:
    values = read_yaml(path)
    for override in overrides:
        set_option(values, override)
    return values


def test_what_looks_like_a_date_or_a_number_is_a_name(path: Path) -> None:
    changes = ["corpus.root=2024-13-45", "corpus.map={1: 2}", "corpus.keep=[2]"]
    assert config.load(path, changes).corpus == (
        EmodbOptions(root=Path("2024-13-45"), map={"1": "2"}, keep=("2",)),
    )


def test_a_merged_key_may_be_given_again(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(
        "corpus:\n- &a {name: emodb, root: x}\n- {<<: *a, name: nemo}\n"
    )
    loaded = config.load(tmp_path / "e.yaml")
    assert [(corpus.name, corpus.root) for corpus in loaded.corpus] == [
        ("emodb", Path("x")),
        ("nemo", Path("x")),
    ]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_shipped_experiments_load_and_survive_writing(name: str) -> None:
    loaded = config.load(PRESETS / name)
    again = ExperimentConfig.model_validate(yaml.safe_load(loaded.as_yaml()))
    assert again.identity() == loaded.identity()
    assert (Path(__file__).parents[2] / "experiments" / name).is_file()


def test_identity_leaves_out_where_and_how_it_runs(path: Path) -> None:
    plain = config.load(path).identity()
    assert config.load(path, ["corpus.root=a", "runtime.jobs=1"]).identity() == plain
    assert config.load(path, ["training.batch=3"]).identity() != plain
    assert "root" not in config.load(path, ["corpus.root=secret"]).as_yaml()
