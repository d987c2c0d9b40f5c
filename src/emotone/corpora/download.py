"""Corpora that audEERING publishes, through audb: EMO-DB and others, free to download."""

from pathlib import Path
from typing import Any

from emotone.errors import CorpusError, StorageError, UsageError
from emotone.files import write_text
from emotone.options import nearest

RECORD = ".emotone-download"  # name of the corpus, in its folder


def download(
    name: str, out: Path, *, version: str | None = None, repository: Path | None = None
) -> Path:
    """Download a corpus in audformat, ready for ``corpus.name=audformat``.

    Args:
        name: name of the corpus, such as ``emodb``.
        out: folder for the corpus; empty, new, or with an interrupted download of it.
        version: version of the corpus; the latest by default.
        repository: folder to which audb published corpora; by default the public repository.

    Returns:
        The folder.

    Raises:
        UsageError: if ``out`` holds other files or corpora, or the repository has no such corpus
            or version.
        CorpusError: if the repository cannot be reached.
        StorageError: if ``out`` cannot be written.
    """
    import audb

    _refuse_other_files(out, name)
    source = _source(repository)
    before = audb.config.REPOSITORIES
    audb.config.REPOSITORIES = [source]
    try:
        known = sorted({str(found) for found in audb.available(repositories=source).index})
        if not known:  # what audb returns when there is no network
            raise _unreachable(source, ConnectionError("it lists no corpora"))
        if name not in known:
            raise UsageError(
                f"{source.name} has no corpus '{name}'{nearest(name, known)}; it has "
                f"{', '.join(known)}"
            )
        versions = audb.versions(name)
        if version is not None and version not in versions:
            raise UsageError(f"{name} has no version {version}; it has {', '.join(versions)}")
        write_text(out / RECORD, f"{name}\n")
        audb.load_to(
            str(out), name, version=version or versions[-1], pickle_tables=False, num_workers=4
        )
    except OSError as error:
        if error.filename and Path(str(error.filename)).is_relative_to(out):
            raise StorageError(f"cannot write to {out}: {error.strerror}") from error
        raise _unreachable(source, error) from error
    except (UsageError, CorpusError):
        raise
    except Exception as error:  # the storage libraries have no common base class
        raise _unreachable(source, error) from error
    finally:
        audb.config.REPOSITORIES = before
    return out


def _refuse_other_files(out: Path, name: str) -> None:
    """Raise a :class:`UsageError` unless a folder is new, empty, or a download of the corpus."""
    record = out / RECORD
    ours = record.is_file() and record.read_text(encoding="utf-8", errors="replace") == f"{name}\n"
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise UsageError(f"{out} holds other files; choose an empty --out")


def _source(repository: Path | None) -> Any:
    import audb

    if repository is None:
        return audb.config.REPOSITORIES[0]
    if not repository.is_dir():
        raise UsageError(f"--repository: the folder {repository} does not exist")
    return audb.Repository(repository.name, str(repository.parent.resolve()), "file-system")


def _unreachable(source: Any, error: Exception) -> CorpusError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CorpusError(
        f"cannot download from {source.name} ({reason[:160]}); check the network, or give a folder "
        "with --repository; a corpus that you already have needs no download"
    )
