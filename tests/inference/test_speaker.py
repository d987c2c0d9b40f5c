"""Speaker enrolment."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import emotone as package
from emotone.errors import AudioError, ModelError, UsageError
from emotone.inference.recognizer import Recognizer
from emotone.inference.sources import speaker_of
from emotone.inference.speaker import Speaker
from emotone.models.weights import rebuilt
from tests.helpers import voice


def test_a_speaker_can_be_enrolled(enrolling: Path, tmp_path: Path) -> None:
    recognizer = package.load(enrolling)
    network = rebuilt(enrolling)
    recordings = [voice(n, 2.0) * np.float32(0.03) for n in range(5)]
    known = recognizer.for_speaker([(waveform, 16_000) for waveform in recordings])
    assert known.speaker is not None
    assert known.speaker.recordings == 5
    assert recognizer.speaker is None
    log_mels = [
        network.features.log_mel(torch.from_numpy(one)[None], torch.tensor([len(one)]))[0][0]
        for one in recordings
    ]
    moments = network.features.moments(log_mels)
    np.testing.assert_allclose(known.speaker.statistics, moments.statistics(), atol=2e-3)
    waveform = voice(7, 1.0) * np.float32(0.03)
    inputs = torch.from_numpy(waveform)[None], torch.tensor([len(waveform)])
    with torch.no_grad():
        enrolled = network(*inputs, network.features.enrolled(moments)[None]).softmax(dim=1)[0]
        plain = network(*inputs).softmax(dim=1)[0]
    found = known.predict((waveform, 16_000)).probabilities
    assert list(found.values()) == pytest.approx(enrolled.tolist(), abs=5e-5)
    without = recognizer.predict((waveform, 16_000)).probabilities
    assert list(without.values()) == pytest.approx(plain.tolist(), abs=1e-4)
    assert list(found.values()) != pytest.approx(plain.tolist(), abs=2e-4)

    known.speaker.save(tmp_path / "me.JSON")
    assert (tmp_path / "me.JSON").stat().st_size < 10_000
    speaker = speaker_of([tmp_path / "me.JSON"])
    assert isinstance(speaker, Speaker)
    again = recognizer.for_speaker(speaker)
    kept = again.predict((waveform, 16_000)).probabilities
    assert list(kept.values()) == pytest.approx(list(found.values()), abs=5e-5)


def test_speakers_that_cannot_be_used_are_refused(
    recognizer: Recognizer, enrolling: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"train one with features\.norm=enrol"):
        recognizer.for_speaker([(voice(0), 16_000)])
    able = package.load(enrolling)
    with pytest.raises(AudioError, match="has sound"):
        able.for_speaker([(np.zeros(16_000, np.float32), 16_000)])
    known = able.for_speaker([(voice(0), 16_000)]).speaker
    assert known is not None
    for other in (
        replace(known, statistics=np.ones((2, 1, 5), np.float32)),
        replace(known, features=known.features | {"level": "rms"}),
    ):
        with pytest.raises(ModelError, match="uses different features"):
            able.for_speaker(other)
    (tmp_path / "no.json").write_text("[]")
    with pytest.raises(UsageError, match="is not a speaker"):
        Speaker.load(tmp_path / "no.json")
    with pytest.raises(UsageError, match="cannot read"):
        Speaker.load(tmp_path / "gone.json")
    for std in ("-1", "NaN"):
        (tmp_path / "damaged.json").write_text(
            f'{{"features": {{}}, "recordings": 1, "mean": [[0]], "std": [[{std}]]}}'
        )
        with pytest.raises(UsageError, match="damaged"):
            Speaker.load(tmp_path / "damaged.json")


def test_features_without_variance_are_a_speaker(enrolling: Path, tmp_path: Path) -> None:
    """Bands of digital silence do not vary; the probabilities stay finite."""
    able = package.load(enrolling)
    known = able.for_speaker([(voice(0), 16_000)]).speaker
    assert known is not None
    still = replace(known, statistics=np.stack([known.statistics[0], 0 * known.statistics[1]]))
    still.save(tmp_path / "still.json")
    adapted = able.for_speaker(Speaker.load(tmp_path / "still.json"))
    assert adapted.speaker is not None
    assert not adapted.speaker.statistics[1].any()
    probabilities = list(adapted.predict((voice(1), 16_000)).probabilities.values())
    assert np.isfinite(probabilities).all()
    assert sum(probabilities) == pytest.approx(1)
