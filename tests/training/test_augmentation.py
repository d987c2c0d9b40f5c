from typing import Any

import librosa
import numpy as np
import pytest
import torch

from emotone.features import FeatureOptions, Features, hz_of_mel, mel_centres
from emotone.training.augmentation import AugmentOptions, Draws, augment, mix_style

NONE = {"speed": 0, "tempo": 0, "warp": 0, "level_db": 0, "equaliser_db": 0, "mixup": 0}
FEATURES = FeatureOptions()


def changed(
    log_mel: torch.Tensor, frames: torch.Tensor, *, epoch: int = 0, **options: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    draws = Draws.of(list(range(len(frames))), seed=0, epoch=epoch)
    return augment(log_mel, frames, draws, AugmentOptions.model_validate(NONE | options), FEATURES)


def tone(hz: float, seconds: float = 1.0) -> torch.Tensor:
    time = torch.arange(round(seconds * 16_000)) / 16_000
    waveform = torch.sin(2 * torch.pi * hz * time)[None]
    return Features(FEATURES).log_mel(waveform, torch.tensor([waveform.shape[1]]))[0]


def test_nothing_asked_nothing_changed() -> None:
    log_mel, frames = torch.randn(3, 20, 64), torch.tensor([20, 11, 5])
    out, lengths = changed(log_mel, frames)
    assert torch.equal(out, log_mel)
    assert torch.equal(lengths, frames)


CHANGES: list[dict[str, Any]] = [
    {"speed": 0.2},
    {"tempo": 0.2},
    {"warp": 0.2},
    {"level_db": 6},
    {"equaliser_db": 6},
    {"pitch": 0.2},
    {"noise": 1},
    {"band": 1},
    {"time_mask": 1},
    {"mel_mask": 1},
]


@pytest.mark.parametrize("options", CHANGES)
def test_each_change_depends_on_seed_epoch_and_utterance_alone(options: dict[str, Any]) -> None:
    log_mel, frames = torch.randn(3, 40, 64), torch.tensor([40, 31, 25])
    for row, length in enumerate(frames):
        log_mel[row, length:] = 0
    together, lengths = changed(log_mel, frames, **options)
    other_epoch, _ = changed(log_mel, frames, epoch=1, **options)
    for row in range(3):
        draws = Draws.of([row], seed=0, epoch=0)
        alone, (length,) = augment(
            log_mel[row : row + 1, : frames[row]],
            frames[row : row + 1],
            draws,
            AugmentOptions.model_validate(NONE | options),
            FEATURES,
        )
        assert int(length) == int(lengths[row])
        if "noise" not in options:  # its flutter has the shape of the batch
            torch.testing.assert_close(together[row, :length], alone[0], atol=1e-3, rtol=1e-3)
        shared = min(int(length), other_epoch.shape[1])
        assert not torch.allclose(together[row, :shared], other_epoch[row, :shared], atol=1e-2)


def band_of(hz: float) -> int:
    return int((hz_of_mel(mel_centres(64)) - hz).abs().argmin())


@pytest.mark.parametrize("option", ["speed", "warp"])
def test_frequencies_move_by_the_factor_drawn(option: str) -> None:
    for epoch in range(5):
        draw = Draws.of([0], seed=0, epoch=epoch).uniform[0, 0 if option == "speed" else 2]
        factor = 1 + 0.2 * (2 * draw - 1)
        out, frames = changed(tone(2000), torch.tensor([101]), epoch=epoch, **{option: 0.2})
        assert abs(int(out[0, 40].argmax()) - band_of(2000 * factor)) <= 1
        expected = 101 / factor if option == "speed" else 101
        assert int(frames[0]) == pytest.approx(expected, abs=1)


def test_tempo_changes_the_length_and_not_the_frequency() -> None:
    out, frames = changed(tone(2000), torch.tensor([101]), tempo=0.2)
    draw = Draws.of([0], seed=0, epoch=0).uniform[0, 1]
    assert int(frames[0]) == pytest.approx(101 / (1 + 0.2 * (2 * draw - 1)), abs=1)
    assert int(out[0, 40].argmax()) == band_of(2000)


def test_level_and_equaliser_have_the_size_asked() -> None:
    log_mel, frames = torch.zeros(400, 3, 64), torch.full((400,), 3)
    decibels = 10 / np.log(10)
    level, _ = changed(log_mel, frames, level_db=3)
    assert float(level.std() * decibels) == pytest.approx(3, abs=0.5)
    assert torch.equal(level[:, :, :1].expand_as(level), level)
    curve, _ = changed(log_mel, frames, equaliser_db=3)
    assert float(curve.std() * decibels) == pytest.approx(3, abs=0.5)
    assert float((curve[:, :, 1:] - curve[:, :, :-1]).abs().max()) * decibels < 3  # smooth


def test_noise_fills_the_gaps_10_to_40_db_below_the_speech() -> None:
    log_mel = torch.full((50, 100, 64), -20.0)
    log_mel[:, ::2] = 0.0
    out, _ = changed(log_mel, torch.full((50,), 100), noise=1)
    added = 10 * torch.log10(out[:, 1::2].exp().mean(dim=(1, 2)) / 0.5)
    assert float(added.min()) > -41
    assert float(added.max()) < -9


def test_masks_cover_no_more_than_they_may() -> None:
    log_mel, frames = torch.randn(200, 60, 64), torch.full((200,), 60)
    time, _ = changed(log_mel, frames, time_mask=1)
    masked = (time != log_mel).any(dim=2).sum(dim=1)
    assert int(masked.max()) <= 0.3 * 60 + 1
    assert float(masked.float().mean()) > 3
    bands, _ = changed(log_mel, frames, mel_mask=1)
    masked = (bands != log_mel).any(dim=1).sum(dim=1)
    assert int(masked.max()) <= 0.2 * 64 + 1


def test_pitch_moves_harmonics_and_leaves_the_envelope() -> None:
    mels = torch.arange(64)
    envelope = 2 * torch.cos(torch.pi * 2 * (mels + 0.5) / 64)
    harmonics = torch.cos(2 * torch.pi * mels / 4) * (mels < 20)
    log_mel = (envelope + harmonics).expand(1, 30, 64).clone()
    frames = torch.tensor([30])
    out, lengths = changed(log_mel, frames, pitch=0.3)
    assert torch.equal(lengths, frames)
    moved, _ = changed(log_mel, frames, warp=0.0, speed=0.0)
    assert torch.equal(moved, log_mel)
    difference = out - log_mel
    assert difference[0, :, :20].abs().max() > 0.3
    assert difference[0, :, 30:].abs().max() < 0.3
    smooth, _ = changed(envelope.expand(1, 30, 64).clone(), frames, pitch=0.3)
    torch.testing.assert_close(smooth[0], envelope.expand(30, 64), atol=0.02, rtol=0)


@pytest.mark.parametrize(("options", "place"), [({"pitch": 0.3}, 15), ({"speed": 0.25}, 0)])
def test_pitch_salience_moves_as_the_voice_does(options: dict[str, float], place: int) -> None:
    features = FeatureOptions(pitch=True)
    uniform = [0.5] * 16
    uniform[place] = 1.0
    (factor,) = (1 + strength for strength in options.values())
    low, high = (voiced(hz, features) for hz in (140.0, 140.0 * factor))
    strength = AugmentOptions.model_validate(NONE | options)
    draws = drawn(uniform=uniform)
    out, frames = augment(low, torch.tensor([low.shape[1]]), draws, strength, features)
    assert out.shape == (1, int(frames), 128)
    found, expected = out[0, 20:-20, 64:].mean(dim=0), high[0, 20:-20, 64:].mean(dim=0)
    assert int(found.argmax()) == pytest.approx(int(expected.argmax()), abs=1)
    before = low[0, :, 64:].mean(dim=0)
    moved, unmoved = torch.corrcoef(torch.stack([expected, found, before]))[0, 1:]
    assert moved > 0.6
    assert unmoved < 0.2


def test_a_change_of_tempo_leaves_the_pitch() -> None:
    features = FeatureOptions(pitch=True)
    before = voiced(140.0, features)
    out, frames = augment(
        before, torch.tensor([before.shape[1]]), drawn(uniform=[0.5, 1.0] + [0.5] * 14),
        AugmentOptions.model_validate(NONE | {"tempo": 0.25}), features,
    )  # fmt: skip
    assert int(frames) == round(before.shape[1] / 1.25)
    inside = slice(20, -20)
    torch.testing.assert_close(
        out[0, inside, 64:].mean(dim=0), before[0, inside, 64:].mean(dim=0), atol=0.02, rtol=0
    )


def voiced(hz: float, features: FeatureOptions) -> torch.Tensor:
    """Log-mel and pitch salience of a second of a voice."""
    time = torch.arange(16_000) / 16_000
    voice = sum(torch.cos(2 * torch.pi * n * hz * time) for n in range(1, int(7000 // hz)))
    assert isinstance(voice, torch.Tensor)
    log_mel, _ = Features(features).log_mel(voice[None], torch.tensor([16_000]))
    return log_mel


def test_what_lies_outside_the_band_is_lost() -> None:
    lost = {}
    for hz in (30.0, 1000.0, 7900.0):
        log_mel = tone(hz).expand(64, -1, -1)
        out, _ = changed(log_mel, torch.full((64,), log_mel.shape[1]), band=1)
        lost[hz] = (log_mel - out)[:, 10:90, band_of(hz)].mean(dim=1) / np.log(10) * 10
    assert lost[1000.0].abs().max() < 1e-3
    assert lost[30.0].median() > 20
    assert lost[7900.0].median() > 20


def drawn(**fields: list[float]) -> Draws:
    """Draws of one utterance, zero but for some."""
    rows: dict[str, Any] = {"uniform": [0.0] * 16, "normal": [0.0] * 6, "band": [0.0] * 4}
    rows |= {"babble": [0.0] * 3, "style": [0.0] * 2} | fields
    return Draws(
        np.array([rows["uniform"]]), np.array([rows["normal"]]), np.array([7]),
        np.array([rows["band"]]), np.array([rows["babble"]]), np.array([rows["style"]]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("draws", "low_hz", "high_hz", "db_per_octave"),
    [
        ([0.0, 0, 0, 0], 50, 3000, 24),
        ([0.0, 1, 1, 1], 400, 8000, 200),
        ([0.0, 0, 1, 0.5], 50, 8000, 112),
    ],
)
def test_the_band_has_the_edges_and_slope_drawn(
    draws: list[float], low_hz: float, high_hz: float, db_per_octave: float
) -> None:
    log_mel = torch.zeros(1, 10, 64)
    features = FeatureOptions(dynamic_range_db=None)
    options = AugmentOptions.model_validate(NONE | {"band": 0.5})
    out, _ = augment(log_mel, torch.tensor([10]), drawn(band=draws), options, features)
    hz = librosa.mel_frequencies(66, fmin=0, fmax=8000)[1:-1]
    octaves = np.maximum(np.log2(low_hz / hz), 0) + np.maximum(np.log2(hz / high_hz), 0)
    expected = np.maximum(-octaves * db_per_octave, -100)  # the floor of the front end
    np.testing.assert_allclose(
        10 / np.log(10) * out[0].numpy(), np.tile(expected, (10, 1)), atol=0.02
    )
    unchanged, _ = augment(
        log_mel, torch.tensor([10]), drawn(band=[0.5, *draws[1:]]), options, features
    )
    assert torch.equal(unchanged, log_mel)  # drawn with the probability or above: no band


@pytest.mark.parametrize(("draw", "below_db"), [(0.0, 10), (0.5, 25), (1.0, 40)])
def test_noise_has_the_level_and_flutter_drawn(draw: float, below_db: float) -> None:
    frames = 2000
    log_mel = torch.zeros(1, frames, 64)  # a power of one in each band
    uniform = [0.5] * 16  # no colour, which is drawn about a half
    uniform[3], uniform[4] = 0.0, draw
    options = AugmentOptions.model_validate(NONE | {"noise": 0.5})
    out, _ = augment(log_mel, torch.tensor([frames]), drawn(uniform=uniform), options, FEATURES)
    added = out.double().exp() - 1
    assert float(10 * added.mean().log10()) == pytest.approx(-below_db, abs=0.1)
    # mel power of noise as a mean of eight independent exponential variables
    assert float(added.std() / added.mean()) == pytest.approx(1 / np.sqrt(8), rel=0.03)


def test_babble_is_the_power_of_other_utterances_below_the_speech() -> None:
    """Each utterance has a band of its own; what is added is in those of the others."""
    log_mel = torch.full((4, 30, 64), -20.0)
    frames = torch.tensor([30, 30, 20, 10])
    for row, length in enumerate(frames.tolist()):
        log_mel[row, :length, 10 * row] = 0.0
        log_mel[row, length:] = 0.0  # padding, which is not heard
    out, _ = changed(log_mel, frames, babble=1)
    untouched, _ = changed(log_mel, frames, babble=0)
    assert torch.equal(untouched, log_mel)
    for row, length in enumerate(frames.tolist()):
        added = (out[row, :length].exp() - log_mel[row, :length].exp()).sum(dim=0)
        bands = {int(band) for band in torch.nonzero(added > 1e-3 * length)}
        assert bands
        assert bands <= {0, 10, 20, 30} - {10 * row}
        below_db = -10 * torch.log10(added.sum() / length)
        assert 0 <= float(below_db) <= 30.5


def test_mixed_styles_lie_between_those_of_both_utterances() -> None:
    torch.manual_seed(0)
    frames = torch.tensor([50, 30])
    x = torch.randn(2, 3, 50, 8) * torch.tensor([1.0, 3.0])[:, None, None, None]
    x[1] += 5
    x[1, :, 30:] = 0
    shares = np.array([[0.0, 0.5], [0.9, 0.5]])  # a quarter of the other; not mixed
    mixed = mix_style(x, frames, shares, 0.5)
    torch.testing.assert_close(mixed[1], x[1], atol=1e-4, rtol=1e-4)
    expected_mean = 0.75 * x[0].mean(dim=1) + 0.25 * x[1, :, :30].mean(dim=1)
    torch.testing.assert_close(mixed[0].mean(dim=1), expected_mean, atol=1e-4, rtol=1e-4)
    deviations = [x[0].std(dim=1, correction=0), x[1, :, :30].std(dim=1, correction=0)]
    expected_std = 0.75 * deviations[0] + 0.25 * deviations[1]
    torch.testing.assert_close(
        mixed[0].std(dim=1, correction=0), expected_std, atol=1e-4, rtol=1e-4
    )
    assert not mixed[1, :, 30:].any()
