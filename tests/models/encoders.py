"""Tiny encoders of each family, with random weights, as folders that transformers writes."""

from pathlib import Path
from typing import Any

import pytest
import torch

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8, 8, 8],
    "conv_kernel": [10, 8, 4],
    "conv_stride": [5, 8, 8],
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
LATE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}  # as in large encoders
DATA2VEC = {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 5}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 16,
    "num_mel_bins": 80,
    "max_source_positions": 50,  # pieces of 1 s
    "vocab_size": 20,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "decoder_start_token_id": 0,
}
ENCODERS: dict[str, tuple[str, dict[str, Any], bool]] = {  # kind, options, normalised waveforms
    "wav2vec2": ("wav2vec2", SIZES, True),
    "wav2vec2-large": ("wav2vec2", SIZES | LATE, True),
    "hubert": ("hubert", SIZES, True),
    "hubert-norm": ("hubert", SIZES | LATE | {"conv_pos_batch_norm": True}, False),
    "wavlm": ("wavlm", SIZES | {"num_buckets": 32, "max_bucket_distance": 80}, False),
    "wavlm-large": ("wavlm", SIZES | LATE, True),
    "data2vec": ("data2vec-audio", SIZES | DATA2VEC, True),
    "whisper": ("whisper", WHISPER, False),
}


def save_encoder(name: str, folder: Path, *, rate: int = 16_000) -> Path:
    """Write an encoder and its preprocessing to ``folder / name``."""
    transformers: Any = pytest.importorskip("transformers")

    kind, options, normalises = ENCODERS[name]
    config = transformers.AutoConfig.for_model(kind, **options)
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(config)
    with torch.no_grad():  # so large that differences show
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.mul_(5)
    extractor: Any = (
        transformers.WhisperFeatureExtractor(chunk_length=1, sampling_rate=rate)
        if kind == "whisper"
        else transformers.Wav2Vec2FeatureExtractor(do_normalize=normalises, sampling_rate=rate)
    )
    for part in (model, extractor):
        part.save_pretrained(folder / name)
    return folder / name
