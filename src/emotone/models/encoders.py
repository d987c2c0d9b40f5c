"""Encoders of the Hub: found on this machine, checked, and loaded from safetensors.

Nothing is downloaded, no code of a repository runs, and pickled weights are refused.
"""

import contextlib
import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from emotone.audio import SAMPLE_RATE
from emotone.errors import UsageError
from emotone.files import hash_of
from emotone.inference.model_folder import HUB_ID
from emotone.text import shown

FAMILIES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "whisper")  # their config's model_type
CONFIG, PREPROCESSING = "config.json", "preprocessor_config.json"
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
WHISPER_STRIDE = 2  # of its convolutions together
INSTALL = "model.kind=ssl needs transformers: pip install 'emotone[ssl]'"


class EncoderError(UsageError, ValueError):
    """An encoder is not on this machine, or cannot be used."""


@dataclass(frozen=True)
class Encoder:
    """An encoder in a folder of this machine.

    Attributes:
        folder: with configuration, preprocessing and weights.
        config: content of its ``config.json``.
        preprocessing: content of its ``preprocessor_config.json``.
    """

    folder: Path
    config: dict[str, Any]
    preprocessing: dict[str, Any]

    @property
    def family(self) -> str:
        """One of :data:`FAMILIES`."""
        return str(self.config["model_type"])

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return int(self.config["encoder_layers" if self.is_whisper else "num_hidden_layers"])

    @property
    def size(self) -> int:
        """Numbers of a hidden state."""
        return int(self.config["d_model" if self.is_whisper else "hidden_size"])

    @property
    def is_whisper(self) -> bool:
        """Whether it reads log-mel spectrograms of a fixed length."""
        return self.family == "whisper"

    @property
    def hop(self) -> int:
        """Samples from state to state."""
        if self.is_whisper:
            return int(self.preprocessing["hop_length"]) * WHISPER_STRIDE
        hop = 1
        for stride in self.config["conv_stride"]:
            hop *= int(stride)
        return hop

    @property
    def sha256(self) -> str:
        """Hash of weights, configuration and preprocessing."""
        digest = hashlib.sha256(json.dumps([self.config, self.preprocessing]).encode())
        for path in _weights(self.folder):
            digest.update(hash_of(path).encode())
        return digest.hexdigest()


def find(name: str) -> Encoder:
    """Find an encoder on this machine and check that it can be used.

    Args:
        name: a folder, or the id of a repository that is in the cache of the Hub.

    Raises:
        EncoderError: says what to do.
    """
    folder = _folder_of(name)
    config, preprocessing = (_json_of(folder / part, name) for part in (CONFIG, PREPROCESSING))
    family = config.get("model_type")
    if family not in FAMILIES:
        raise EncoderError(
            f"model.encoder: {name} is of the kind {shown(family)}; give an encoder of the kind "
            f"{', '.join(FAMILIES)}"
        )
    rate = preprocessing.get("sampling_rate")
    if rate != SAMPLE_RATE:
        raise EncoderError(
            f"model.encoder: {name} takes audio at {shown(rate)} Hz, but emotone reads at "
            f"{SAMPLE_RATE} Hz; give an encoder of this rate"
        )
    if not _weights(folder):
        pickled = any(folder.glob("*.bin"))
        problem = "has pickled weights, which are not loaded" if pickled else f"has no {WEIGHTS}"
        raise EncoderError(f"model.encoder: {name} {problem}; {_how_to_get(name)}")
    encoder = Encoder(folder, config, preprocessing)
    try:
        complete = encoder.layers > 0 and encoder.size > 0 and encoder.hop > 0
    except (KeyError, TypeError, ValueError):
        complete = False
    if not complete:
        raise EncoderError(
            f"model.encoder: {name} has no sizes of a {family} encoder in {CONFIG}; copy it again"
        )
    return encoder


def load(encoder: Encoder, *, with_weights: bool = True) -> nn.Module:
    """Load an encoder in evaluation mode, its parameters frozen.

    Args:
        encoder: from :func:`find`.
        with_weights: or build it on PyTorch's ``meta`` device, which takes no memory.

    Returns:
        The model of transformers; of Whisper the encoder alone.

    Raises:
        EncoderError: if weights are missing, or of other sizes.
        UsageError: if transformers is not installed.
    """
    transformers = _transformers()
    config = transformers.AutoConfig.from_pretrained(
        encoder.folder, local_files_only=True, trust_remote_code=False
    )
    config._attn_implementation = "eager"  # whose operators ONNX has
    with _quiet(transformers):
        if with_weights:
            model = _with_weights(transformers, config, encoder)
        else:
            with torch.device("meta"):
                model = transformers.AutoModel.from_config(config)
    model = model.get_encoder() if encoder.is_whisper else model
    return model.eval().requires_grad_(False)  # type: ignore[no-any-return]


def mel_filters(encoder: Encoder) -> torch.Tensor:
    """Mel filters of a Whisper encoder, shape ``(bins, mels)``."""
    extractor = _transformers().WhisperFeatureExtractor(**encoder.preprocessing)
    return torch.from_numpy(extractor.mel_filters).float()


def _with_weights(transformers: Any, config: Any, encoder: Encoder) -> Any:
    try:
        model, report = transformers.AutoModel.from_pretrained(
            encoder.folder, config=config, local_files_only=True, trust_remote_code=False,
            use_safetensors=True, output_loading_info=True, dtype=torch.float32,
        )  # fmt: skip
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        reason = next(iter(str(error).splitlines()), "")[:200]
        raise EncoderError(
            f"model.encoder: {encoder.folder} cannot be loaded ({reason}); copy it again"
        ) from error
    missing = [
        name
        for name in sorted(report["missing_keys"])
        if name != "masked_spec_embed" and not name.startswith("decoder.")
    ]
    if missing:
        raise EncoderError(
            f"model.encoder: {encoder.folder} has no weights {missing[0]} and "
            f"{len(missing) - 1} others of a {encoder.family} encoder; copy it again"
        )
    return model


def _folder_of(name: str) -> Path:
    if not name:
        raise EncoderError("model.encoder: give a folder, or an id such as microsoft/wavlm-large")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if HUB_ID.fullmatch(name):
        try:
            from huggingface_hub import try_to_load_from_cache
        except ModuleNotFoundError as error:
            raise EncoderError(INSTALL) from error
        cached = try_to_load_from_cache(name, CONFIG)
        if isinstance(cached, str):
            return Path(cached).parent
        raise EncoderError(
            f"model.encoder: {name} is not on this machine, and nothing is downloaded unasked; "
            f"{_how_to_get(name)}"
        )
    raise EncoderError(
        f"model.encoder: {shown(name)} is neither a folder nor an id such as microsoft/wavlm-large"
    )


def _how_to_get(name: str) -> str:
    """Say in one line how to get an encoder as a folder with safetensors."""
    folder = Path(name).name
    source = f"{name}" if HUB_ID.fullmatch(name) or Path(name).exists() else "HUB_ID"
    out = f"{folder}-safe" if Path(name).is_dir() else folder
    return (
        f"""get it: python -c "import transformers as t; [c.from_pretrained('{source}')"""
        f""".save_pretrained('{out}') for c in (t.AutoModel, t.AutoFeatureExtractor)]", """
        f"then give model.encoder={out}"
    )


def _json_of(path: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EncoderError(
            f"model.encoder: {name} is not an encoder's folder: it has no {path.name}; "
            "give a folder that save_pretrained of transformers wrote"
        ) from error
    except ValueError as error:
        raise EncoderError(
            f"model.encoder: {path} is not JSON, so it is damaged; copy it again"
        ) from error
    if not isinstance(content, dict):
        raise EncoderError(f"model.encoder: {path} holds no configuration; copy it again")
    return content


def _weights(folder: Path) -> list[Path]:
    """Files with the weights; empty if there are none as safetensors."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    return sorted(folder.glob("model-*.safetensors")) if (folder / SHARDS).is_file() else []


def _transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise UsageError(INSTALL) from error
    # WavLM's layers give a mask of booleans and one of numbers
    warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
    return transformers


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Suppress reports of transformers about weights that are not used, and its bars."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
