"""An audit with figures that are easy to recognise."""

from dataclasses import replace
from typing import Any

from emotone.evaluation.audit_results import (
    Audit,
    Bin,
    Clean,
    Coverage,
    CoveragePoint,
    Effect,
    Fairness,
    Part,
    Reliability,
    SoundAnswers,
    Subject,
)

LABELS = ("anger", "neutral")


def made_effect(
    change: str, group: str, unchanged: float, uar_change: float, **more: Any
) -> Effect:
    return Effect(
        change=change, title=f"{change} <title>", group=group, unchanged=unchanged,
        uar=0.8 + uar_change, uar_change=uar_change,
        interval_95=(uar_change - 0.01, uar_change + 0.01), confident=0.25, answered=1.0,
        **{"least_unchanged": 0.9, "least_uar_change": -0.03} | more,
    )  # fmt: skip


def made_voice(change: str, confident: float) -> Effect:
    """An unusual voice, of whose answers at most 10 % should be confident."""
    effect = made_effect(
        change, "voice", 0.4, -0.3, least_unchanged=None, least_uar_change=None, most_confident=0.1
    )
    return replace(effect, confident=confident)


def made_part(name: str, uar: float, **more: Any) -> Part:
    values: dict[str, Any] = {
        "utterances": 40, "speakers": 2, "interval_95": (uar - 0.1, uar + 0.1), "confident": 0.5,
        "truth": {"anger": 0.5, "neutral": 0.5}, "predicted": {"anger": 0.6, "neutral": 0.4},
        "compared": True,
    }  # fmt: skip
    return Part(name=name, uar=uar, **values | more)


def made_audit(**changes: Any) -> Audit:
    speakers = tuple(made_part(f"s{n}", 0.5 + n / 100, interval_95=None) for n in range(14))
    audit = Audit(
        subject=Subject(
            model="made <model>", labels=LABELS, threshold=0.75, corpus="emodb",
            utterances=560, speakers=14, known_speakers=0, synthetic=False, seed=3,
            notes=("2 utterances get no answer: a.wav: empty",), versions={"emotone": "0.0"},
        ),
        clean=Clean(0.8, (0.7, 0.9), 0.81, {"anger": 0.75, "neutral": 0.85}, ((15, 5), (3, 17))),
        robustness=(
            made_effect("white", "noise", 0.95, -0.01),
            made_effect("pink", "noise", 0.855, -0.04),
            made_effect("rt60_1_0", "room", 0.5, -0.2, least_unchanged=None, least_uar_change=None),
        ),
        fairness=(
            Fairness("sex", (made_part("female", 0.85), made_part("male", 0.75)), 0.1, 0.75, 0.11),
            Fairness("speaker", speakers, 0.13, 0.5, 0.1),
        ),
        calibration=Reliability(0.0625, 0.4321, (Bin(10, 0.5, 0.6), Bin(30, 0.9, 0.8))),
        coverage=Coverage(
            tuple(CoveragePoint(n / 20, 1 - n / 100, 1 - n / 25) for n in range(1, 21)),
            0.4, 0.925, 0.9,
        ),
        non_speech=(
            SoundAnswers("silence", "digital silence", 20, 0.0, 0.0),
            SoundAnswers("tone", "pure tone", 20, 1.0, 0.15),
        ),
    )  # fmt: skip
    return replace(audit, **changes)
