import numpy as np
import pytest

from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import Epoch, Rate, Results, RunRecord, Setting, System
from tests.made_results import made_results

RATE = Rate(0.5, (0.25, 0.75), (0.4, 0.6), 0.5, 0.1)
RESULTS = made_results()


def test_a_rate_spreads_over_seeds() -> None:
    assert RATE.std == pytest.approx(np.sqrt(0.02))  # 0.4 and 0.6 about 0.5, one degree less
    assert Rate(0.5, (0, 1), (0.5,), 0.5, 0.0).std is None


def test_independence_says_what_the_figures_hold_for() -> None:
    assert RESULTS.independence == "speaker-independent"
    dependent = ProtocolOptions(name="fold_column", speaker_dependent=True)
    setting = Setting(**vars(RESULTS.setting) | {"protocol": dependent})
    system = System(**vars(RESULTS.system) | {"transductive": True, "pretrained_on": "x+y"})
    results = Results(**vars(RESULTS) | {"setting": setting, "system": system})
    assert results.independence == "speaker-dependent, transductive, pre-trained on x+y"


def test_a_run_counts_its_epochs_if_it_has_some() -> None:
    assert RunRecord("1", 0, 1.0, 5, history=(Epoch(1.0), Epoch(0.5))).epochs == 2
    assert RunRecord("1", 0, 1.0, 5).epochs is None
