"""A folder that recognises in the browser, from any static server and without another request."""

import json
from collections.abc import Callable
from pathlib import Path

from emotone.audio.activity import DETECTOR
from emotone.errors import UsageError
from emotone.files import is_marked, replacing
from emotone.inference import model_folder
from emotone.publishing import npm

PAGE = Path(__file__).parent / "page"
SERVED = Path(__file__).parents[1] / "serve" / "page" / "files"  # the page of emotone serve
SHARED = ("page.css", "emotions.js", "answer.js", "microphone.js", "recorder.js")
INDEX, MODEL = "index.html", "model.json"


def write_page(
    folder: Path,
    out: Path,
    *,
    name: str | None = None,
    registry: str | None = None,
    precision: str = "float32",
    force: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Path:
    """Write a page that recognises as :meth:`emotone.Recognizer.predict` does.

    Args:
        folder: model folder.
        out: folder of the page: new, empty, or made by this function.
        name: of the model, shown on the page; by default that of its folder.
        registry: see :func:`emotone.publishing.npm.runtime`.
        precision: of the stored weights, see :func:`emotone.publishing.precision.with_precision`.
        force: whether other files may be in ``out``.
        advance: see :func:`emotone.publishing.npm.runtime`.

    Returns:
        ``index.html`` of the page.

    Raises:
        ModelError: if the folder is no model, or one that cannot recognise.
        UsageError: if ``out`` holds other files, the precision is unknown, or ONNX Runtime Web
            cannot be had.
        StorageError: if it cannot be written.
    """
    refuse_other_files(out, force=force)
    config = model_folder.read(folder)
    network = model_folder.content(folder, model_folder.ONNX, config)
    if precision != "float32":
        from emotone.publishing.precision import with_precision  # needs onnx, which others do not

        network = with_precision(network, precision)
    about = {
        "name": name or folder.resolve().name,
        "labels": config.labels,
        "temperature": config.temperature,
        "confident_from": config.confident_from,
        "frames": config.features.get("frames", "all"),
    }
    files = {
        **{path.name: path.read_bytes() for path in PAGE.iterdir() if path.is_file()},
        **{f"page/{shared}": (SERVED / shared).read_bytes() for shared in SHARED},
        **npm.runtime(registry, advance),
        MODEL: json.dumps(about, indent=1).encode(),
        model_folder.ONNX: network,
        model_folder.CARD: (model_folder.card(folder) or "").encode(),
        DETECTOR.name: DETECTOR.read_bytes(),
        "silero_vad.LICENSE": DETECTOR.with_suffix(".LICENSE").read_bytes(),
    }
    for place in sorted(files, key=lambda place: place == INDEX):  # with the mark, at the end
        with replacing(out / place) as temporary:
            temporary.write_bytes(files[place])
    return out / INDEX


def refuse_other_files(out: Path, *, force: bool = False) -> None:
    """Raise a :class:`UsageError` unless a folder is new, empty, or a page of emotone."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; give --web a folder")
    if force or not out.exists() or not any(out.iterdir()):
        return
    index = out / INDEX
    if not (index.is_file() and is_marked(index)):
        raise UsageError(f"{out} holds other files; choose an empty folder for --web, or --force")
