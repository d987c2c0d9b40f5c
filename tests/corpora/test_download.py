from pathlib import Path

import audb
import pytest

from emotone import corpora
from emotone.corpora.audformat import AudformatOptions
from emotone.corpora.download import download
from emotone.errors import CorpusError, UsageError
from tests.helpers import small_audformat

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in a folder, with one corpus that audb published there."""
    monkeypatch.setattr(audb.config, "CACHE_ROOT", str(tmp_path / "cache"))
    small_audformat(tmp_path / "source")
    folder = tmp_path / "repository"
    folder.mkdir()
    target = audb.Repository(folder.name, str(tmp_path), "file-system")
    monkeypatch.setattr(audb.config, "REPOSITORIES", [target])  # or it would look in the public one
    audb.publish(str(tmp_path / "source"), "1.0.0", target, verbose=False)
    return folder


def test_a_published_corpus_is_loaded_and_read(repository: Path, tmp_path: Path) -> None:
    before = audb.config.REPOSITORIES
    out = download("made", tmp_path / "out", repository=repository)
    assert audb.config.REPOSITORIES is before
    table = corpora.read(AudformatOptions(root=out)).table
    assert table["emotion"].tolist() == ["anger", "happiness"]
    assert all(Path(file).is_file() for file in table["file"])
    download("made", out, version="1.0.0", repository=repository)  # again, nothing to do


def test_unknown_corpora_versions_and_folders_are_errors(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no corpus 'mode'; did you mean 'made'"):
        download("mode", tmp_path / "out", repository=repository)
    with pytest.raises(UsageError, match=r"made has no version 2\.0\.0; it has 1\.0\.0"):
        download("made", tmp_path / "out", version="2.0.0", repository=repository)
    with pytest.raises(UsageError, match=r"the folder .*gone does not exist"):
        download("made", tmp_path / "out", repository=tmp_path / "gone")


def test_a_folder_with_other_files_is_left_alone(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match="holds other files; choose an empty --out"):
        download("made", tmp_path / "mine", repository=repository)
    (tmp_path / "mine" / "thesis.txt").rename(tmp_path / "mine" / "db.yaml")
    with pytest.raises(UsageError, match="holds other files; choose an empty --out"):
        download("made", tmp_path / "mine", repository=repository)
    assert (tmp_path / "mine" / "db.yaml").read_text() == "precious"


def test_an_unreachable_repository_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a host that never answers, at an address of this machine
    nowhere = audb.Repository("public", "127.0.0.1:9", "s3")
    monkeypatch.setattr(audb.config, "REPOSITORIES", [nowhere])
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda seconds: None)  # between attempts
    with pytest.raises(CorpusError, match=r"cannot download from public .*check the network"):
        download("emodb", tmp_path / "out")
