import json
from pathlib import Path

import pytest

from emotone import corpora
from emotone.corpora import READERS, emodb
from emotone.corpora.emobox import EmoboxOptions
from emotone.errors import CorpusError, FoldError
from emotone.evaluation.folds import make_folds
from emotone.evaluation.protocol import ProtocolOptions
from tests.helpers import EMODB_NAMES, real_corpus, rows, small_emodb


def example(root: Path) -> EmoboxOptions:
    small_emodb(root / "audio")
    lists = root / "lists"
    for fold, names in (("1", EMODB_NAMES[:2]), ("2", EMODB_NAMES[2:])):
        (lists / f"fold_{fold}").mkdir(parents=True)
        path = lists / f"fold_{fold}" / f"emodb_test_fold_{fold}.jsonl"
        path.write_text("".join(line(name) for name in names))
    (lists / "emodb.jsonl").write_text("".join(map(line, EMODB_NAMES)))
    (lists / "label_map.json").write_text(json.dumps({"happy": "Happy", "boredem": "Boredom"}))
    return EmoboxOptions(root=lists, audio=root / "audio")


def line(name: str) -> str:
    parsed = emodb.parse(name)
    assert parsed is not None
    emotion = {"happiness": "happy"}.get(parsed["emotion"], parsed["emotion"])
    entry = {"key": f"emodb-{name}", "dataset": "emodb", "wav": f"x/{name}.wav", "emo": emotion}
    return json.dumps(entry) + "\n"


def test_folds_emotions_and_speakers(tmp_path: Path) -> None:
    corpus = corpora.read(example(tmp_path))
    assert corpus.name == "emodb"
    assert rows(corpus, "emotion", "speaker", "fold") == {
        "03a01Fa": ("happiness", "03", "1"),
        "03a01Wa": ("anger", "03", "1"),
        "08a02Nb": ("neutral", "08", "2"),
        "16b10Td": ("sadness", "16", "2"),
        "14a05Ac": ("fear", "14", "2"),
    }


def test_malformed_lists_are_errors(tmp_path: Path) -> None:
    options = example(tmp_path)
    assert options.root is not None
    path = options.root / "fold_2" / "emodb_test_fold_2.jsonl"
    whole = path.read_text()
    path.write_text(whole + line("03a07Wc"))
    with pytest.raises(CorpusError, match=r"lists emodb-03a07Wc, which the corpus does not have"):
        corpora.read(options)
    path.write_text(whole + line("03a01Fa"))
    with pytest.raises(CorpusError, match=r"emodb-03a01Fa is tested in folds 1 and 2"):
        corpora.read(options)
    path.write_text("{")
    with pytest.raises(CorpusError, match=r"emodb_test_fold_2\.jsonl, line 1: expected JSON with"):
        corpora.read(options)
    path.unlink()
    with pytest.raises(CorpusError, match="fold_2 has no list of tested utterances"):
        corpora.read(options)
    with pytest.raises(
        CorpusError,
        match=r"no audio folder given; set corpus\.audio=FOLDER, the folder that holds",
    ):
        corpora.read(options.model_copy(update={"audio": None}))
    with pytest.raises(CorpusError, match=r"none is not a folder; set corpus\.audio=FOLDER"):
        corpora.read(options.model_copy(update={"audio": tmp_path / "none"}))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("emodb.jsonl", "", r"emodb\.jsonl lists no utterances; copy it again"),
        ("emodb.jsonl", "é".encode("utf-16"), r"emodb\.jsonl cannot be read \('utf-8' codec"),
        ("emodb.jsonl", '{"key": [], "dataset": 1, "wav": 1, "emo": 1}', "line 1: expected JSON"),
        ("emodb.jsonl", '{"key": 1, "dataset": 1, "wav": 1, "emo": {}}', "line 1: expected JSON"),
        ("emodb.jsonl", "[1]", "line 1: expected JSON with key, dataset, wav and emo"),
        (
            "emodb.jsonl",
            '{"key": "a", "dataset": "emodb", "wav": "a.wav", "emo": " "}',
            "line 1: 'emo' is empty; copy the file again",
        ),
        (
            "fold_1/emodb_test_fold_1.jsonl",
            "",
            r"emodb_test_fold_1\.jsonl lists no utterances; copy",
        ),
        ("label_map.json", '{"fear": ""}', "expected the new name of each emotion"),
        ("label_map.json", "[1]", r"expected the new name of each emotion.* got \[1\]"),
        ("label_map.json", '{"a": null}', "expected the new name of each emotion"),
        ("label_map.json", b"\xff", r"label_map\.json cannot be read \('utf-8' codec"),
        ("label_map.json", "{", r"label_map\.json cannot be read \(Expecting"),
        ("fold_1/emodb_test_fold_1 (1).jsonl", "", r"expected a name such as emodb_test_fold_1\."),
    ],
)
def test_a_damaged_list_is_one_line(
    tmp_path: Path, file: str, content: str | bytes, message: str
) -> None:
    options = example(tmp_path)
    assert options.root is not None
    (options.root / file).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(CorpusError, match=message):
        corpora.read(options)


def test_needs_file_names_that_identify_speakers(tmp_path: Path) -> None:
    options = example(tmp_path)
    assert options.root is not None
    for path in options.root.rglob("*.jsonl"):
        path.write_text(path.read_text().replace('"dataset": "emodb"', '"dataset": "meld"'))
    known = ", ".join(name for name, reader in READERS.items() if reader.parse is not None)
    assert "emodb" in known
    with pytest.raises(CorpusError, match=f"names of 'meld' do not identify .* do are {known}$"):
        corpora.read(options)


@pytest.mark.parametrize(("name", "folds", "counts"), [("emodb", 5, 535), ("ravdess", 6, 1440)])
def test_published_folds(name: str, folds: int, counts: int) -> None:
    root = real_corpus("emobox") / name
    corpus = corpora.read(EmoboxOptions(root=root, audio=real_corpus(name)))
    options_class, reader = READERS[name][:2]
    ours = reader(options_class(name=name, root=real_corpus(name)))
    assert len(corpus.table) == counts
    assert corpus.table["fold"].nunique() == folds
    for column in ("utterance", "emotion", "speaker", "sex"):
        assert corpus.table[column].tolist() == ours.table[column].tolist()
    protocol = ProtocolOptions(name="fold_column")
    if name == "ravdess":
        assert len(make_folds(corpus, protocol)) == 6
        return
    with pytest.raises(FoldError, match=r"share the speakers 03, 08.*speaker_dependent=true"):
        make_folds(corpus, protocol)
    dependent = make_folds(corpus, protocol.model_copy(update={"speaker_dependent": True}))
    assert sorted(n for fold in dependent for n in fold.test) == list(range(535))
