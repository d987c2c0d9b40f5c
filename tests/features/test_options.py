import pytest

from emotone.features import FeatureOptions


def test_a_hop_must_be_whole_samples() -> None:
    with pytest.raises(ValueError, match=r"whole number of samples at 16 kHz, got 0\.01 ms"):
        FeatureOptions(hop_ms=0.01)
