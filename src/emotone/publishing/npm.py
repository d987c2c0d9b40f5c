"""ONNX Runtime Web, which the page runs: from the npm registry, once, checked against its hash.

The package is too large for emotone's wheel. Its version is pinned with the ``integrity`` that npm
states for it, so it does not matter from where it comes.
"""

import base64
import hashlib
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from platformdirs import user_cache_path

from emotone.errors import StorageError, UsageError
from emotone.files import read_regular, replacing

NAME, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
REGISTRY = "https://registry.npmjs.org/"
FROM_NPM = "npm_config_registry"  # npm's own variable for the address of the registry
MEGABYTES = 33  # of the package
MOST_BYTES = 64_000_000
TIMEOUT_S = 30.0
FILES = {  # their names in the page, and in the package
    "ort.js": "package/dist/ort.wasm.bundle.min.mjs",
    "ort.wasm": "package/dist/ort-wasm-simd-threaded.wasm",
}


def runtime(
    registry: str | None = None, advance: Callable[[], None] = lambda: None
) -> dict[str, bytes]:
    """Return the files of ONNX Runtime Web by their name in the page.

    The package is kept in emotone's cache folder.

    Args:
        registry: address of an npm registry; by default that of ``npm_config_registry`` in the
            environment, or npm's.
        advance: called after each megabyte that was downloaded.

    Raises:
        UsageError: if the package cannot be had, or is not the one that is pinned; says where to
            put it.
        StorageError: if the cache folder cannot be written.
    """
    path = user_cache_path("emotone") / f"{NAME}-{VERSION}.tgz"
    if not _is_there(path):
        _download(address(registry), path, advance)
    with tarfile.open(path) as package:
        return {name: _member(package, place) for name, place in FILES.items()}


def address(registry: str | None = None) -> str:
    """Return where a registry has the package."""
    root = registry or os.environ.get(FROM_NPM) or REGISTRY
    if urlsplit(root).scheme not in ("http", "https"):
        raise UsageError(f"--registry: expected the address of an npm registry, got {root}")
    return f"{root.rstrip('/')}/{NAME}/-/{NAME}-{VERSION}.tgz"


def _is_there(path: Path) -> bool:
    """Whether the cache has the package; another file of its name is an error."""
    try:
        content = read_regular(path, MOST_BYTES)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}; remove it") from error
    if _integrity(content) != INTEGRITY:
        raise UsageError(f"{path} is damaged or another version (SHA-512 differs); remove it")
    return True


def _download(url: str, path: Path, advance: Callable[[], None]) -> None:
    hint = f"check the network, give another --registry, or put {url.rpartition('/')[2]} at {path}"
    content = bytearray()
    try:
        with urlopen(Request(url, headers={"User-Agent": "emotone"}), timeout=TIMEOUT_S) as answer:
            while (block := answer.read(1_000_000)) and len(content) <= MOST_BYTES:
                content += block
                advance()
    except (OSError, ValueError) as error:
        reason = error.reason if type(error) is URLError else error  # not of HTTPError
        raise UsageError(
            f"the page needs {NAME} {VERSION}, which cannot be had from {url} ({reason}); {hint}"
        ) from error
    if _integrity(content) != INTEGRITY:
        raise UsageError(f"{url} is not {NAME} {VERSION} as npm has it (SHA-512 differs); {hint}")
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _integrity(content: bytes | bytearray) -> str:
    return base64.b64encode(hashlib.sha512(content).digest()).decode()


def _member(package: tarfile.TarFile, place: str) -> bytes:
    file = package.extractfile(place)
    assert file is not None  # its hash was checked
    return file.read()
