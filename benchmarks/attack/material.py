"""What is attacked: synthetic speech in many containers, a small corpus and a small model."""

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.attack.processes import Helper
from emotone.corpora import synthetic

RATE = 16_000
SECONDS = 1.0
BITS_S = 32_000  # of a channel
# by libsndfile: suffix, format and subtype
SNDFILE = {
    "wav": ("wav", "WAV", "PCM_16"),
    "wav-float": ("wav", "WAV", "FLOAT"),
    "wav-adpcm": ("wav", "WAV", "MS_ADPCM"),
    "rf64": ("rf64", "RF64", "PCM_16"),
    "w64": ("w64", "W64", "PCM_16"),
    "aiff": ("aiff", "AIFF", "PCM_16"),
    "au": ("au", "AU", "ULAW"),
    "caf": ("caf", "CAF", "ALAC_16"),
    "flac": ("flac", "FLAC", "PCM_16"),
    "ogg": ("ogg", "OGG", "VORBIS"),
    "opus": ("opus", "OGG", "OPUS"),
    "mp3": ("mp3", "MP3", "MPEG_LAYER_III"),
    "voc": ("voc", "VOC", "PCM_16"),
    "nist": ("sph", "NIST", "PCM_16"),
    "sds": ("sds", "SDS", "PCM_16"),
    "ircam": ("ircam", "IRCAM", "PCM_16"),
}
# by FFmpeg: suffix, format and codec
FFMPEG = {
    "m4a": ("m4a", "mp4", "aac"),
    "webm": ("webm", "webm", "libopus"),
    "mka": ("mka", "matroska", "flac"),
    "wma": ("wma", "asf", "wmav2"),
    "adts": ("aac", "adts", "aac"),
    "flv": ("flv", "flv", "aac"),
    "ts": ("ts", "mpegts", "mp2"),
    "avi": ("avi", "avi", "ac3"),
    "wv": ("wv", "wv", "wavpack"),
    "tta": ("tta", "tta", "tta"),
}
# of many channels
WIDE = {"wide-wv": ("wv", "wv", "wavpack"), "wide-m4a": ("m4a", "mp4", "aac")}
CHANNELS = 16
# a network and a training so small that they take a second
TINY = [
    "features.mels=16", "features.hop_ms=20", "features.deltas=1", "model.channels=[4,6]",
    "model.time_strides=[2,2]", "model.mel_pools=[2,2]", "model.lstm=4", "model.hidden=4",
    "training.epochs=2", "training.batch=4", "protocol.name=kfold", "protocol.folds=2",
    "runtime.jobs=1",
]  # fmt: skip


def speech(take: int = 0, seconds: float = SECONDS) -> NDArray[np.float32]:
    """Synthetic speech of shape ``(samples,)`` at 16 kHz."""
    emotion = synthetic.EMOTIONS[take % len(synthetic.EMOTIONS)]
    samples = synthetic.utterance(take % 7, emotion, take)
    return np.resize(samples, round(seconds * RATE))


def containers() -> dict[str, tuple[str, bytes]]:
    """Return small valid files by name: suffix and content."""
    mono, stereo = speech(), np.stack([speech(0), speech(1)], axis=1)
    made = {}
    for number, (name, (suffix, form, subtype)) in enumerate(SNDFILE.items()):
        file = io.BytesIO()
        samples = stereo if number % 3 == 1 and form != "SDS" else mono
        soundfile.write(file, samples, RATE, format=form, subtype=subtype)
        made[name] = suffix, file.getvalue()
    for name, (suffix, form, codec) in FFMPEG.items():
        made[name] = suffix, _encoded(form, codec, mono[:, None])
    for name, (suffix, form, codec) in WIDE.items():
        made[name] = suffix, _encoded(form, codec, np.repeat(mono[:, None], CHANNELS, axis=1))
    return made


def _encoded(form: str, codec: str, samples: NDArray[np.float32]) -> bytes:
    layouts = {1: "mono", CHANNELS: "hexadecagonal"}
    rate = 48_000 if codec in ("libopus", "ac3", "mp2") else RATE
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout=layouts[samples.shape[1]])
        stream.bit_rate = BITS_S * samples.shape[1]
        resampler = av.AudioResampler(
            stream.codec_context.format, stream.codec_context.layout, rate,
            frame_size=stream.codec_context.frame_size,
        )  # fmt: skip
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.reshape(1, -1)), "flt", layouts[samples.shape[1]]
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()


def corpus(folder: Path) -> Path:
    """Write a small corpus; returns its table."""
    folder.mkdir(parents=True)
    rows = ["file,emotion,speaker"]
    for number in range(8):
        soundfile.write(folder / f"{number}.wav", speech(number, 0.5), RATE)
        rows.append(f"{number}.wav,{('anger', 'neutral')[number % 2]},s{number // 2}")
    table = folder / "table.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def model(folder: Path, table: Path, helper: Helper) -> Path:
    """Train a small model; returns its folder."""
    arguments: list[str | Path] = [
        "train",
        table,
        *TINY,
        "protocol.validation_speakers=0",
        "--out",
        folder,
    ]
    ended = helper.command(*arguments, folder=table.parent, limit_s=120)
    if ended.code:
        raise SystemExit(f"the model to attack cannot be trained:\n{ended.error}")
    json.loads((folder / "config.json").read_text())
    return folder


def long_speech() -> bytes:
    """Half a minute of speech as a WAV file of 1 MB."""
    file = io.BytesIO()
    soundfile.write(file, speech(seconds=30), RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()
