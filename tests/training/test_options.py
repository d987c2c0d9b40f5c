import pytest

from emotone.training.options import TrainingOptions


def test_options_of_segments_fit_together() -> None:
    with pytest.raises(
        ValueError, match=r"segment_s cuts utterances already; set training\.crop=1"
    ):
        TrainingOptions(segment_s=3.0, crop=0.5)
    with pytest.raises(ValueError, match=r"set training\.segment_s with it"):
        TrainingOptions(segment_rest="overlapping")
    fitting = TrainingOptions(segment_s=3.0, segment_rest="overlapping", crop=1.0)
    assert fitting.segment_rest == "overlapping"
