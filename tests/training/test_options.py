import pytest

from emotone.training.options import TrainingOptions


@pytest.mark.parametrize("name", ["corpus_balance", "speaker_balance"])
def test_weights_of_speakers_do_not_go_with_a_cap(name: str) -> None:
    with pytest.raises(ValueError, match=rf"set training\.{name}=sampling with it"):
        TrainingOptions.model_validate({"most_per_speaker": 40, name: "weights"})
    fitting = TrainingOptions.model_validate({"most_per_speaker": 40, name: "sampling"})
    assert fitting.samples
    assert not TrainingOptions(most_per_speaker=40).samples


def test_options_of_segments_fit_together() -> None:
    with pytest.raises(
        ValueError, match=r"segment_s cuts utterances already; set training\.crop=1"
    ):
        TrainingOptions(segment_s=3.0, crop=0.5)
    with pytest.raises(ValueError, match=r"set training\.segment_s with it"):
        TrainingOptions(segment_rest="overlapping")
    fitting = TrainingOptions(segment_s=3.0, segment_rest="overlapping", crop=1.0)
    assert fitting.segment_rest == "overlapping"
