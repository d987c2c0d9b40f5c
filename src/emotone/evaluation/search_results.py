"""Results of a search: its trials, scored on validation speakers, and which options mattered."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from emotone.errors import UsageError
from emotone.files import write_text
from emotone.text import agree, plural

SEARCH_FILE = "search.json"


@dataclass(frozen=True)
class Trial:
    """One configuration that was tried.

    Attributes:
        number: of the trial, from 0.
        state: whether it was scored, pruned because it was worse than the median, or impossible.
        values: the options that were searched.
        uar: UAR on validation speakers, mean over seeds; of a pruned trial, that of its runs.
        runs: number of runs.
        seconds: training time of the runs.
        reason: why it is impossible.
        folder: results folder, relative to that of the search; empty if there is none.
    """

    number: int
    state: Literal["scored", "pruned", "impossible"]
    values: dict[str, Any]
    uar: float | None
    runs: int
    seconds: float
    reason: str = ""
    folder: str = ""


@dataclass(frozen=True)
class SearchResults:
    """A search.

    Attributes:
        corpus: name of the corpus.
        synthetic: whether emotone generated the speech.
        fold: name of the fold whose test speakers the search did not see.
        held_out: these speakers.
        speakers: the speakers that the search trained and scored on.
        inner_folds: number of groups of these speakers, each scored once.
        seeds: seeds of each trial.
        trials: all trials, in their order.
        start: number of the trial of the configuration itself; ``None`` if it is not in the space.
        importance: share of each option in the variance of the UAR (fANOVA); empty if unknown.
        logarithmic: options whose range is logarithmic.
    """

    corpus: str
    synthetic: bool
    fold: str
    held_out: tuple[str, ...]
    speakers: tuple[str, ...]
    inner_folds: int
    seeds: tuple[int, ...]
    trials: tuple[Trial, ...]
    start: int | None
    importance: dict[str, float]
    logarithmic: tuple[str, ...]

    @property
    def scored(self) -> list[Trial]:
        """The trials that were neither pruned nor impossible, the best first."""
        found = [trial for trial in self.trials if trial.state == "scored"]
        return sorted(found, key=lambda trial: -(trial.uar or 0.0))

    @property
    def impossible(self) -> list[Trial]:
        """The trials whose values do not go together."""
        return [trial for trial in self.trials if trial.state == "impossible"]

    @property
    def skipped(self) -> str:
        """What is said of impossible trials, of which there is at least one."""
        count = len(self.impossible)
        trials = f"{plural(count, 'impossible trial')} {agree(count, 'were')}"
        return f"{trials} skipped, the last reason: {self.impossible[-1].reason}"

    @property
    def best(self) -> Trial:
        """The trial with the highest UAR.

        Raises:
            UsageError: if no trial is finished.
        """
        if not self.scored:
            if self.impossible:
                raise UsageError(
                    f"no trial of this search is finished; {self.skipped}; change the space, with "
                    "another --out, or give more --trials or --hours"
                )
            raise UsageError(
                "no trial of this search is finished; run the command again, with more --hours"
            )
        return self.scored[0]


SEARCH_RESULTS: TypeAdapter[SearchResults] = TypeAdapter(SearchResults)


def write_search(folder: Path, results: SearchResults) -> None:
    """Write ``search.json``.

    Raises:
        StorageError: if it cannot be written.
    """
    write_text(folder / SEARCH_FILE, SEARCH_RESULTS.dump_json(results, indent=1).decode() + "\n")


def is_search(folder: Path) -> bool:
    """Whether a folder holds the results of a search."""
    return (folder / SEARCH_FILE).is_file()


def read_search(folder: Path) -> SearchResults:
    """Read ``search.json``.

    Raises:
        UsageError: if there is none that can be read.
    """
    try:
        return SEARCH_RESULTS.validate_json((folder / SEARCH_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} holds no readable {SEARCH_FILE}; give the --out folder of emotone search"
        ) from error
