from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from emotone import audio
from emotone.audio import activity, disturbances
from emotone.audio.activity import (
    CHUNK,
    CONTEXT,
    Blocks,
    only_speech,
    speech_probabilities,
    speech_regions,
)
from emotone.audio.resampling import Waveform
from emotone.corpora import synthetic
from tests.helpers import real_corpus

RATE = audio.SAMPLE_RATE
TOLERANCE = 4 * CHUNK  # samples by which an edge may move


@pytest.fixture(scope="module")
def speech() -> Waveform:
    return synthetic.utterance(1, "neutral", 0)


def test_what_surrounds_speech_is_cut(speech: Waveform) -> None:
    (region,) = speech_regions(disturbances.surrounded(speech, 2.0, 3.0))
    (alone,) = speech_regions(speech)
    assert abs(region.start - 2 * RATE - alone.start) <= TOLERANCE
    assert abs(region.stop - 2 * RATE - alone.stop) <= TOLERANCE


@settings(max_examples=25, deadline=None)
@given(before=st.integers(2, 4 * RATE), after=st.integers(2, 4 * RATE), offset=st.booleans())
def test_digital_silence_around_changes_not_a_sample(before: int, after: int, offset: bool) -> None:
    speech = np.trim_zeros(synthetic.utterance(1, "neutral", 0)) + np.float32(0.01 * offset)
    around = np.pad(speech, (before, after), constant_values=np.float32(0.01 * offset))
    np.testing.assert_array_equal(only_speech(around), only_speech(speech))


@pytest.mark.parametrize("cut", [100, 500, 1000])
@pytest.mark.parametrize("snr_db", [60, 30, 25])
def test_edges_are_those_of_the_speech_whatever_the_chunks(
    speech: Waveform, cut: int, snr_db: float
) -> None:
    """A recording that begins later has other chunks."""
    whole = disturbances.surrounded(speech, 2.0, 3.0)
    noise = disturbances.coloured_noise(np.random.default_rng(cut), len(whole), -3)
    (quiet,) = speech_regions(disturbances.add_noise(whole, noise, 80))
    (region,) = speech_regions(disturbances.add_noise(whole, noise, snr_db)[cut:])
    assert abs(region.start + cut - quiet.start) <= 0.01 * RATE
    assert abs(region.stop + cut - quiet.stop) <= 0.01 * RATE


def test_a_stretch_beside_a_louder_one_has_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loud one comes within a quarter of a second, so all of the quiet one is far below it."""
    waveform = disturbances.coloured_noise(np.random.default_rng(0), 60 * CHUNK)
    waveform[: 18 * CHUNK] *= 1e-4
    found = np.zeros(60, np.float32)
    found[5:15] = found[19:40] = 1
    monkeypatch.setattr(activity, "speech_probabilities", lambda _: found)
    (region,) = speech_regions(waveform)
    assert region.start <= 15 * CHUNK
    assert region.stop >= 40 * CHUNK


def test_long_pauses_are_cut_and_short_ones_are_kept(speech: Waveform) -> None:
    long, short = np.zeros(2 * RATE, np.float32), np.zeros(RATE // 10, np.float32)
    assert len(speech_regions(np.concatenate([speech, long, speech]))) == 2
    assert len(speech_regions(np.concatenate([speech, short, speech]))) == 1
    joined = only_speech(np.concatenate([speech, long, speech]))
    assert abs(len(joined) - 2 * len(only_speech(speech))) <= 2 * TOLERANCE


@pytest.mark.parametrize("gain_db", [-60, -40, -20, 0, 20])
def test_the_level_changes_nothing(speech: Waveform, gain_db: float) -> None:
    louder = (speech * 10 ** (gain_db / 20)).astype(np.float32)
    np.testing.assert_allclose(
        speech_probabilities(louder), speech_probabilities(speech), atol=1e-3
    )


def test_a_constant_offset_changes_nothing(speech: Waveform) -> None:
    difference = speech_probabilities(speech + np.float32(0.05)) - speech_probabilities(speech)
    assert np.abs(difference).max() < 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda rng, samples: np.zeros(samples, np.float32),
        lambda rng, samples: disturbances.coloured_noise(rng, samples),
        lambda rng, samples: disturbances.coloured_noise(rng, samples, -3),
        lambda rng, samples: disturbances.coloured_noise(rng, samples, -6),
        disturbances.hum,
        disturbances.music,
        lambda rng, samples: np.sin(np.arange(samples) / 5).astype(np.float32),
        lambda rng, samples: np.eye(1, samples, 999, dtype=np.float32)[0],
    ],
    ids=["silence", "white", "pink", "brown", "hum", "music", "tone", "click"],
)
def test_what_is_not_speech_is_not_found(
    make: Callable[[np.random.Generator, int], Waveform],
) -> None:
    assert speech_regions(make(np.random.default_rng(0), 5 * RATE)) == []


@pytest.mark.parametrize("seed", [4, 7])
def test_what_the_detector_takes_for_a_short_word_is_none(seed: int) -> None:
    chords = disturbances.music(np.random.default_rng(seed), 3 * RATE)
    assert speech_probabilities(chords).max() > 0.3
    assert speech_regions(chords) == []


def test_an_empty_waveform_has_no_speech() -> None:
    assert len(only_speech(np.zeros(0, np.float32))) == 0


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 70 * RATE), max_size=6))
def test_the_pieces_change_nothing(cuts: list[int]) -> None:
    whole = np.tile(disturbances.surrounded(synthetic.utterance(2, "anger", 0), 1.0, 3.0), 13)
    pieces = np.split(whole, sorted(cuts))
    parts = [whole[start : start + 30 * RATE] for start in range(0, len(whole), 30 * RATE)]
    expected = np.concatenate([only_speech(part) for part in parts])
    blocks = Blocks()
    found = [only_speech(block) for piece in pieces for block in blocks.push(piece)]
    found += map(only_speech, blocks.close())
    np.testing.assert_array_equal(np.concatenate(found), expected)


@pytest.mark.parametrize("snr_db", [20, 10, 5])
def test_speech_of_actors_is_found_in_noise(snr_db: float) -> None:
    rng = np.random.default_rng(0)
    overlaps = []
    for path in sorted((real_corpus("emodb") / "wav").iterdir())[::40]:
        clean = audio.read(path)
        noisy = disturbances.add_noise(
            clean, disturbances.coloured_noise(rng, len(clean), -3), snr_db
        )
        found, expected = np.zeros(len(clean), bool), np.zeros(len(clean), bool)
        for mask, waveform in ((found, noisy), (expected, clean)):
            for region in speech_regions(waveform):
                mask[region] = True
        overlaps.append((found & expected).sum() / (found | expected).sum())
    assert np.mean(overlaps) > 0.9


def published(chunks: Tensor) -> Tensor:
    """The network that Silero publishes, as convolutions, with the weights of emotone's graph.

    Args:
        chunks: each after its context, shape ``(chunks, samples)``.
    """
    graph = onnx.load(activity.DETECTOR).graph
    arrays = {one.name: onnx.numpy_helper.to_array(one).copy() for one in graph.initializer}
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    basis = torch.cat([weights["stft.real"], weights["stft.imaginary"]], dim=1).T[:, None]
    padded = functional.pad(chunks[:, None], (0, 64), mode="reflect")
    real, imaginary = functional.conv1d(padded, basis, stride=128).chunk(2, dim=1)
    value = (real**2 + imaginary**2).sqrt()
    for layer, (taps, before, stride) in enumerate([(3, 0, 1), (3, 0, 2), (2, 1, 2), (1, 1, 1)]):
        bias = weights[f"encoder.{layer}.bias"]
        weight = weights[f"encoder.{layer}.weight"].reshape(taps, -1, len(bias)).permute(2, 1, 0)
        weight = functional.pad(weight, (before, 3 - before - taps))
        value = functional.conv1d(value, weight, bias, stride=stride, padding=1).relu()
    memory = torch.nn.LSTM(128, 128)
    inward, recurrent, biases = (weights[f"recurrent.{name}"][0] for name in "WRB")
    order = [0, 2, 3, 1]  # ONNX: input, output, forget, cell; PyTorch: input, forget, cell, output
    rows = [torch.cat([part.chunk(4)[n] for n in order]) for part in (inward, recurrent)]
    sides = [torch.cat([part.chunk(4)[n] for n in order]) for part in biases.chunk(2)]
    with torch.no_grad():
        for own, given in zip(memory.parameters(), [*rows, *sides], strict=True):
            own.copy_(given)
        value, _ = memory(value.transpose(1, 2))
        value = value.relu() @ weights["output.weight"] + weights["output.bias"]
    probabilities: Tensor = value.sigmoid().flatten()
    return probabilities


def test_the_detector_is_the_network_that_silero_publishes(speech: Waveform) -> None:
    """Its graph has matrix products instead of convolutions (benchmarks/detector.py)."""
    sound = disturbances.surrounded(speech, 0.5, 0.5)
    chunks = np.lib.stride_tricks.sliding_window_view(sound, CONTEXT + CHUNK)[::CHUNK].copy()
    state = np.zeros(activity.STATE, np.float32)
    inputs = {"input": chunks, "h": state, "c": state}
    (found,) = activity._detector().run(["speech_probs"], inputs)
    assert found.min() < 0.1
    assert found.max() > 0.9
    np.testing.assert_allclose(found, published(torch.from_numpy(chunks)), atol=1e-5)
