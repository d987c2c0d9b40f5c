"""Optuna's study of a search: trials in an SQLite file, also those that were interrupted."""

import logging
import math
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from emotone.errors import StorageError, UsageError
from emotone.evaluation.search_results import Trial
from emotone.experiments.space import Space, Suggestion, as_text

FIRST_TRIALS = 5  # at random, and never pruned
NAME = "emotone"
STATES: dict[str, Literal["scored", "pruned", "impossible"]] = {
    "COMPLETE": "scored",
    "PRUNED": "pruned",
    "FAIL": "impossible",
}


def require_optuna() -> None:
    """Raise a :class:`UsageError` if Optuna is not installed."""
    try:
        import_module("optuna")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"emotone search needs a package that is not installed ({error.name}): "
            "pip install 'emotone[search]'"
        ) from error


class Proposal:
    """A trial that Optuna proposes.

    Args:
        study: of which it is.
        trial: of Optuna.
        values: of the options that are searched.
    """

    def __init__(self, study: Any, trial: Any, values: Suggestion) -> None:
        self._study, self._trial, self.values = study, trial, values
        self.number: int = trial.number
        self.note(values=values)

    def note(self, **facts: Any) -> None:
        """Keep facts about the trial for the results."""
        for name, fact in facts.items():
            self._trial.set_user_attr(name, fact)

    def is_pruned(self, uar: float, runs: int) -> bool:
        """Report the mean UAR of the runs so far; return whether it is below the median."""
        self._trial.report(uar, runs)
        return bool(self._trial.should_prune())

    def prune(self) -> None:
        """End the trial early."""
        self._tell(state="PRUNED")

    def score(self, uar: float) -> None:
        """End the trial with its UAR."""
        self.note(uar=uar)
        self._tell(uar, state="COMPLETE")

    def is_impossible(self, reason: str) -> None:
        """End the trial, whose values do not go together."""
        self.note(reason=reason)
        self._tell(state="FAIL")

    def _tell(self, uar: float | None = None, *, state: str) -> None:
        from optuna.trial import TrialState

        self._study.tell(self._trial, uar, state=TrialState[state])


class Study:
    """The trials of a search.

    The first trial is the configuration itself, if it lies in the space. Trials that were
    interrupted are proposed again, before new ones.

    Args:
        path: SQLite file.
        space: what is searched.
        seed: of the proposals.

    Raises:
        StorageError: if the file cannot be read or written.
    """

    def __init__(self, path: Path, space: Space, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.space = space
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
            self._study = optuna.create_study(
                study_name=NAME, storage=storage, direction="maximize", load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST_TRIALS),
            )  # fmt: skip
            known = len(self._study.trials)
        except Exception as error:  # of SQLAlchemy, of many kinds
            reason = str(error).splitlines()[0]
            raise StorageError(
                f"{path}: not a usable file of a search ({reason}); choose another --out"
            ) from error
        self._study.sampler = optuna.samplers.TPESampler(
            seed=seed + known, n_startup_trials=FIRST_TRIALS
        )
        start = space.start()
        if not known and start is not None:
            self._study.enqueue_trial(start, user_attrs={"start": True})
        self._enqueue_interrupted()

    def ask(self) -> Proposal:
        """Propose a trial."""
        trial = self._study.ask()
        return Proposal(self._study, trial, self.space.suggest(trial))

    @property
    def ended(self) -> int:
        """Number of trials that ended."""
        return len(self.trials())

    @property
    def start(self) -> int | None:
        """Number of the trial of the configuration itself."""
        for trial in self._study.trials:
            if trial.user_attrs.get("start") and trial.state.name == "COMPLETE":
                return int(trial.number)
        return None

    def trials(self) -> list[Trial]:
        """All trials that ended."""
        found = []
        for trial in self._study.trials:
            facts = trial.user_attrs
            state = STATES.get(trial.state.name)
            if state is None or (state == "impossible" and "reason" not in facts):
                continue  # it runs, waits, or was interrupted
            uar, seconds = facts.get("uar"), facts.get("seconds", 0.0)
            found.append(
                Trial(
                    trial.number,
                    state,
                    facts["values"],
                    uar,
                    facts.get("runs", 0),
                    seconds,
                    facts.get("reason", ""),
                    facts.get("folder", ""),
                )
            )
        return found

    def importance(self) -> dict[str, float]:
        """Share of each option in the variance of the UAR (Hutter et al., ICML 2014).

        Only options that all scored trials have, with several values, most important first; empty
        if unknown, as it is while all are equally good.
        """
        import optuna

        scored = [trial for trial in self.trials() if trial.state == "scored"]
        if len({trial.uar for trial in scored}) < 2:
            return {}
        names = [
            name
            for name in self.space.dimensions
            if all(name in trial.values for trial in scored)
            and len({as_text(trial.values[name]) for trial in scored}) > 1
        ]
        if not names:
            return {}
        try:
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            found = optuna.importance.get_param_importances(
                self._study, evaluator=evaluator, params=names
            )
        except (ValueError, RuntimeError):  # too few trials
            return {}
        return {name: float(share) for name, share in found.items() if math.isfinite(share)}

    def _enqueue_interrupted(self) -> None:
        from optuna.trial import TrialState

        for trial in self._study.get_trials(states=[TrialState.RUNNING]):
            kept = {name: True for name in ("start",) if trial.user_attrs.get(name)}
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._study.enqueue_trial(trial.params, user_attrs=kept)
