import io
import re
import time
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from emotone.cli import progress
from emotone.cli.progress import Estimate, TerminalObserver, counting
from emotone.evaluation.results import Epoch, RunRecord


def made_run(name: str, epochs: int = 10, cost: float = 1.0, experiment: str = "") -> Any:
    asked = SimpleNamespace(name=experiment, epochs=epochs, epoch_cost=cost)
    return SimpleNamespace(name=name, experiment=asked)


def history(epochs: int, seconds: float = 2.0) -> list[Epoch]:
    return [Epoch(1 / number, seconds=seconds) for number in range(1, epochs + 1)]


def test_time_left_is_the_epochs_left_over_the_slots() -> None:
    runs = [made_run(name) for name in "abcd"]
    estimate = Estimate(runs, slots=2)
    assert estimate.seconds() is None
    estimate.epochs(runs[0], history(4))
    estimate.epochs(runs[0], history(5))  # all epochs so far, not further ones
    assert estimate.seconds() == pytest.approx((5 + 30) * 2 / 2)
    estimate.ended(runs[1])
    estimate.ended(runs[2])
    assert estimate.seconds() == pytest.approx(10 * 2)  # one run alone cannot be divided


def test_experiments_without_timed_epochs_are_estimated_by_their_cost() -> None:
    small, large = made_run("a", experiment="small"), made_run("b", cost=3, experiment="large")
    estimate = Estimate([small, large], slots=1)
    estimate.epochs(small, history(10))
    assert estimate.seconds() == pytest.approx(10 * 2 * 3)
    estimate.epochs(large, history(1, seconds=5))
    assert estimate.seconds() == pytest.approx(9 * 5)


def observer(line_s: float = 60.0, *, terminal: bool = False) -> tuple[TerminalObserver, Any]:
    made, written = TerminalObserver(line_s), io.StringIO()
    made.console = Console(file=written, force_terminal=terminal, width=200)
    return made, written


def test_a_line_says_how_a_run_ended() -> None:
    made, written = observer()
    runs = [made_run("a"), made_run("b"), made_run("c")]
    with made:
        made.start(runs, 1, 1)
        made.epochs(runs[0], history(10))
        made.finished(
            runs[0],
            RunRecord("a", 0, 20.4, 9, None, 0.5, tuple(history(10)), kept_epoch=7),
        )
        made.failed(runs[1], ValueError("out of\nmemory"))
        made.epochs(runs[2], [])
        made.finished(runs[2], RunRecord("c", 0, 3.0, 9))
    assert written.getvalue().splitlines() == [
        "1 of 4 runs was finished before",
        "2 of 4: a: validation UAR 50.0 %, epoch 7 of 10, 20 s; 40 s left",
        "b failed: out of memory",
        "3 of 4: c: 3 s",
    ]


def test_without_a_terminal_silence_is_never_long() -> None:
    made, written = observer(line_s=0.05)
    run = made_run("a")
    with made:
        made.reading(3, 7)
        wait_for(written, "reading audio: 3 of 7\n")
        made.start([run], 0, 1)
        wait_for(written, "training; 0 of 1 run\n")
        made.epochs(run, history(4))
        wait_for(
            written,
            "a: epoch 4 of 10, loss 0.250; 0 of 1 run, 12 s left\n",
        )
    lines = len(written.getvalue())
    time.sleep(0.2)
    assert len(written.getvalue()) == lines


def wait_for(written: io.StringIO, line: str) -> None:
    end = time.monotonic() + 20
    while line not in written.getvalue():
        assert time.monotonic() < end, written.getvalue()
        time.sleep(0.01)


def test_a_terminal_has_a_bar_and_no_such_lines() -> None:
    made, written = observer(line_s=0.01, terminal=True)
    with made:
        made.reading(3, 7)
        time.sleep(0.1)
    assert "reading audio: 3 of 7" not in written.getvalue()


@pytest.mark.parametrize("width", [60, 80])
def test_lines_of_a_terminal_fit_it(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, width=width)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    made = TerminalObserver()
    run = made_run("a long name of a variant, test speaker 03, seed 0")
    with made:
        made.start([run], 0, 1)
        made.epochs(run, history(4))
        made.progress.refresh()
        kept = tuple(history(10))
        made.finished(run, RunRecord("a", 0, 20.4, 9, None, 0.5, kept, kept_epoch=7))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    lines = re.split(r"[\r\n]+", text)
    assert max(map(len, lines)) <= width
    assert "4/10" in text
    assert "12 s left" in text  # not cut
    assert "validation UAR 50.0 %, epoch 7 of 10, 20 s" in " ".join(text.split())


def test_a_corpus_is_introduced() -> None:
    made, written = observer()
    corpus: Any = SimpleNamespace(
        name="made",
        table=[0] * 12,
        speakers=["a", "b"],
        labels=["anger"],
        problems=("a file is […]",),
    )
    tested: Any = SimpleNamespace(test=(1,), independence="speaker-independent")
    made.corpus(corpus, [tested] * 3)
    speakers = {"training": ("a", "b", "c"), "validation": ("d",)}
    training: Any = SimpleNamespace(test=(), speakers=speakers)
    made.corpus(corpus, [training])
    start = "made: 12 utterances, 2 speakers, 1 emotion; "
    assert written.getvalue().splitlines() == [
        f"{start}3 folds, speaker-independent", "note: a file is […]",
        f"{start}3 training speakers, 1 validation speaker", "note: a file is […]",
    ]  # fmt: skip


def test_counting_prints_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with counting("reading", 3, line_s=0) as advance:
        advance()
        advance()
    assert capsys.readouterr().err.splitlines() == ["reading: 1 of 3", "reading: 2 of 3"]
    with counting("reading", 3) as advance:
        advance()
    assert capsys.readouterr().err == ""
