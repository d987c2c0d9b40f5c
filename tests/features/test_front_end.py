import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from emotone.features import FeatureOptions, Features, hz_of_mel, mel_centres
from tests.helpers import voice

PLAIN = FeatureOptions(dynamic_range_db=None, deltas=0)


def log_mel_of(waveform: NDArray[np.float32], options: FeatureOptions = PLAIN) -> torch.Tensor:
    features = Features(options)
    return features.log_mel(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))[0][0]


@pytest.mark.parametrize("mels", [40, 64, 80])
@pytest.mark.parametrize("hop_ms", [10.0, 20.0])
@pytest.mark.parametrize("low_hz", [0.0, 60.0])
def test_log_mel_agrees_with_librosa_within_1e_3_nats(
    mels: int, hop_ms: float, low_hz: float
) -> None:
    waveform = voice(0, 1.3)
    options = FeatureOptions(mels=mels, hop_ms=hop_ms, low_hz=low_hz, dynamic_range_db=None)
    padded = np.pad(waveform.astype(np.float64), 200)
    frames = librosa.util.frame(padded, frame_length=400, hop_length=options.hop).T
    window = librosa.filters.get_window("hann", 400)
    frames = frames - (frames @ window / window.sum())[:, None]  # a constant offset is removed
    power = np.abs(np.fft.rfft(frames * window, 512)) ** 2
    filters = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=mels, fmin=low_hz)
    expected = np.log(np.maximum(power @ filters.T, 1e-10))
    np.testing.assert_allclose(log_mel_of(waveform, options), expected, atol=1e-3)


def test_a_constant_offset_changes_nothing() -> None:
    waveform = voice(0, 1.0)
    inside = slice(2, -2)  # the first and last frames hold the step from the zeros before
    without, with_offset = log_mel_of(waveform)[inside], log_mel_of(waveform + 0.1)[inside]
    torch.testing.assert_close(with_offset, without, atol=2e-2, rtol=0)


def test_a_pure_tone_is_loudest_in_its_band() -> None:
    waveform = np.sin(2 * np.pi * 1500 * np.arange(16_000) / 16_000).astype(np.float32)
    band = int(log_mel_of(waveform)[50].argmax())
    assert abs(float(hz_of_mel(mel_centres(64))[band]) - 1500) < 60


@pytest.mark.parametrize("samples", [1, 2, 79, 159, 160, 161, 399, 400, 401, 1000])
@pytest.mark.parametrize("norm", ["train", "utterance"])
def test_clips_shorter_than_a_frame(samples: int, norm: str) -> None:
    options = FeatureOptions.model_validate({"norm": norm})
    waveform = torch.from_numpy(voice(1)[:samples])[None]
    out, frames = Features(options)(waveform, torch.tensor([samples]))
    assert frames.tolist() == [1 + samples // 160]
    assert out.shape == (1, 3, 1 + samples // 160, 64)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("norm", ["train", "utterance", "speaker"])
@pytest.mark.parametrize("dynamic_range_db", [None, 70.0])
def test_padding_changes_nothing(norm: str, dynamic_range_db: float | None) -> None:
    options = FeatureOptions.model_validate({"norm": norm, "dynamic_range_db": dynamic_range_db})
    features = Features(options)
    statistics = torch.rand(1, 2, 3, 64) + 0.5 if norm == "speaker" else None
    clips = [voice(n, seconds) for n, seconds in enumerate([0.05, 0.31, 0.7])]
    features.fit(features.moments(log_mel_of(clip, options) for clip in clips))
    lengths = torch.tensor([len(clip) for clip in clips])
    batch = torch.full((3, int(lengths.max())), 9.0)  # rubbish where there is padding
    for row, clip in enumerate(clips):
        batch[row, : len(clip)] = torch.from_numpy(clip)
    many = None if statistics is None else statistics.expand(3, -1, -1, -1)
    together, frames = features(batch, lengths, many)
    for row, clip in enumerate(clips):
        alone, _ = features(torch.from_numpy(clip)[None], lengths[row : row + 1], statistics)
        torch.testing.assert_close(together[row, :, : frames[row]], alone[0], atol=1e-4, rtol=1e-4)
        assert not together[row, :, frames[row] :].any()


def test_fitted_statistics_normalise_the_clips_they_are_of() -> None:
    features = Features(FeatureOptions())
    clips = [log_mel_of(voice(n, 0.5), FeatureOptions()) for n in range(4)]
    features.fit(features.moments(clips))
    out = torch.cat([features.stack(clip[None], torch.tensor([len(clip)]))[0] for clip in clips], 1)
    torch.testing.assert_close(out.mean(dim=1), torch.zeros(3, 64), atol=1e-3, rtol=0)
    torch.testing.assert_close(out.std(dim=1), torch.ones(3, 64), atol=0.02, rtol=0)


def test_utterance_norm_has_mean_zero_and_std_one() -> None:
    clip = torch.from_numpy(voice(3, 0.6))[None]
    out, _ = Features(FeatureOptions(norm="utterance"))(clip, torch.tensor([clip.shape[1]]))
    torch.testing.assert_close(out.mean(dim=2), torch.zeros(1, 3, 64), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        out.square().mean(dim=2).sqrt(), torch.ones(1, 3, 64), atol=1e-2, rtol=0
    )


def test_speaker_norm_uses_the_statistics_given() -> None:
    features = Features(FeatureOptions(norm="speaker"))
    log_mel, frames = torch.randn(2, 9, 64), torch.tensor([9, 5])
    statistics = torch.stack([torch.full((2, 3, 64), 2.0), torch.full((2, 3, 64), 4.0)], dim=1)
    expected = (features.channels(log_mel, frames) - 2) / 4
    out = features.stack(log_mel, frames, statistics)
    torch.testing.assert_close(out[0], expected[0])
    torch.testing.assert_close(out[1, :, :5], expected[1, :, :5])
    with pytest.raises(ValueError, match="needs the statistics of each utterance's speaker"):
        features.stack(log_mel, frames)


def test_enrolment_goes_from_training_to_the_speaker() -> None:
    features = Features(FeatureOptions(norm="enrol", enrol_prior=2.0))
    training = features.moments([torch.randn(50, 64) for _ in range(4)])
    features.fit(training)
    speaker = features.moments([3 + 2 * torch.randn(50, 64) for _ in range(100)])
    without = features.enrolled(speaker[[]])
    torch.testing.assert_close(without, training.statistics())
    means = [float(features.enrolled(speaker[range(k)])[0, 0].mean()) for k in (0, 2, 10, 100)]
    assert means == sorted(means)
    assert means[1] == pytest.approx((means[0] + 3) / 2, abs=0.1)  # the prior counts for two
    assert means[3] == pytest.approx(3, abs=0.1)
    log_mel, frames = torch.randn(1, 9, 64), torch.tensor([9])
    train = Features(FeatureOptions())
    train.fit(training)
    torch.testing.assert_close(features.stack(log_mel, frames), train.stack(log_mel, frames))
    ours = features.stack(log_mel, frames, features.enrolled(speaker)[None])
    assert not torch.allclose(ours, features.stack(log_mel, frames))


def test_dynamic_range_is_relative_to_the_peak() -> None:
    quiet, loud = voice(4) * 0.001, voice(4)
    options = FeatureOptions(dynamic_range_db=30)
    ours = log_mel_of(quiet, options)
    assert float(ours.max() - ours.min()) == pytest.approx(3 * np.log(10), abs=1e-3)
    difference = log_mel_of(loud, options) - ours
    torch.testing.assert_close(difference, torch.full_like(ours, 6 * np.log(10)), atol=1e-2, rtol=0)


def test_with_level_rms_gain_does_not_matter_and_the_mean_power_is_one() -> None:
    options = FeatureOptions(level="rms")
    waveform = voice(0, 1.3)
    normal = log_mel_of(waveform, options)
    assert float(normal.exp().mean()) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(log_mel_of(waveform * np.float32(0.1), options), normal, atol=0.05)
    features = Features(options)
    padded = np.concatenate([waveform, np.ones(8000, np.float32)])
    together, _ = features.log_mel(torch.from_numpy(padded)[None], torch.tensor([len(waveform)]))
    np.testing.assert_allclose(together[0, : len(normal)], normal, atol=1e-4)


def test_a_speaker_is_blended_by_variance() -> None:
    features = Features(FeatureOptions(deltas=0, norm="enrol", enrol_prior=3))
    features.mean.fill_(1.0)
    features.std.fill_(2.0)
    speaker = torch.stack([torch.full((1, 64), 5.0), torch.full((1, 64), 4.0)])
    mean, std = features.blended(speaker, torch.tensor(0.25))
    torch.testing.assert_close(mean, torch.full((1, 64), 2.0))  # 0.25 * 5 + 0.75 * 1
    torch.testing.assert_close(std, torch.full((1, 64), 7.0**0.5))  # 0.25 * 16 + 0.75 * 4
    # one utterance against a prior of three has the weight of a quarter
    clip = torch.tensor([[1.0], [9.0]]).expand(2, 64)
    enrolled = features.enrolled(features.moments([clip]))
    torch.testing.assert_close(enrolled, torch.stack([mean, std]))
    nobody = features.enrolled(features.moments([]))
    torch.testing.assert_close(nobody, torch.stack([features.mean, features.std]))


def test_what_can_be_computed_anew_is_not_among_the_weights() -> None:
    assert set(Features(FeatureOptions()).state_dict()) == {"mean", "std"}
