from collections.abc import Callable
from pathlib import Path

import pytest

from emotone.errors import UsageError
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.compatibility import refuse_other_network
from tests.helpers import config


def test_results_must_be_of_the_same_network(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    asked = config(make_table())
    folder = ResultsFolder(tmp_path / "results")
    folder.write_experiment(asked.as_yaml(), "{}")
    refuse_other_network(asked, folder)
    refuse_other_network(asked.model_copy(update={"seeds": (3,)}), folder)
    other = config(tmp_path / "corpus" / "table.csv", model={"lstm": 5})
    with pytest.raises(UsageError, match=r"of another network: model\."):
        refuse_other_network(other, folder)
