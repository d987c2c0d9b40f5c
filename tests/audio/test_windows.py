import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotone.audio.windows import FRAME, Window, Windows, batches, has_sound
from emotone.errors import UsageError
from tests.helpers import voice

RATE = 16_000


def cut(samples: np.ndarray, sizes: list[int], window_s: float, hop_s: float) -> list[Window]:
    """Windows of samples that come in pieces of these sizes, the rest at the end."""
    pieces = np.split(samples, np.minimum(np.cumsum(sizes), len(samples)))
    return list(Windows(window_s, hop_s).of(pieces))


@settings(max_examples=200, deadline=None)
@given(
    length=st.integers(0, 5000),
    sizes=st.lists(st.integers(0, 1500), max_size=8),
    window=st.integers(FRAME, 2000),
    share=st.floats(0.1, 1),
)
def test_windows_cover_all_and_do_not_depend_on_the_pieces(
    length: int, sizes: list[int], window: int, share: float
) -> None:
    samples = np.arange(length, dtype=np.float32)
    hop = max(round(share * window), 1)
    found = cut(samples, sizes, window / RATE, hop / RATE)
    at_once = cut(samples, [], window / RATE, hop / RATE)
    assert [w.start for w in found] == [w.start for w in at_once]
    for one in found:
        np.testing.assert_array_equal(one.samples, samples[one.start : one.stop])
        assert len(one.samples) == min(window, length)
    assert set().union(*(range(w.start, w.stop) for w in found)) == set(range(length))
    assert all(w.start == number * hop for number, w in enumerate(found[:-1]))
    assert len({w.start for w in found}) == len(found)


def test_the_last_window_ends_with_the_audio() -> None:
    found = cut(np.zeros(10 * RATE, np.float32), [], 3.0, 2.0)
    assert [w.start / RATE for w in found] == [0, 2, 4, 6, 7]
    whole = cut(np.zeros(9 * RATE, np.float32), [], 3.0, 2.0)
    assert [w.start / RATE for w in whole] == [0, 2, 4, 6]


def test_what_is_kept_does_not_grow() -> None:
    windows = Windows(3.0, 1.0)
    for _ in range(100):
        list(windows.push(np.zeros(RATE, np.float32)))
        assert len(windows._kept) <= 4 * RATE


def test_windows_are_cut_one_at_a_time_and_share_their_samples() -> None:
    samples = np.arange(10 * RATE, dtype=np.float32)
    windows = Windows(3.0, 0.001).push(samples)
    first, second = next(windows), next(windows)
    assert np.shares_memory(first.samples, second.samples)
    assert not first.samples.flags.writeable
    assert len(list(windows)) == 7000 - 1


def test_windows_that_are_not_asked_for_come_later() -> None:
    samples = np.arange(6 * RATE, dtype=np.float32)
    windows = Windows(3.0, 1.0)
    assert next(windows.push(samples[: 5 * RATE])).start == 0
    found = [*windows.push(samples[5 * RATE :]), *windows.close()]
    assert [window.start / RATE for window in found] == [1, 2, 3]
    for window in found:
        np.testing.assert_array_equal(window.samples, samples[window.start : window.stop])


def test_batches_are_bounded_in_windows_and_seconds() -> None:
    def sizes(window_s: float, size: int, seconds: float) -> list[int]:
        windows = Windows(window_s, 1.0).of([np.zeros(20 * RATE, np.float32)])
        return [len(batch) for batch in batches(windows, size, seconds)]

    assert sizes(3.0, 8, 80.0) == [8, 8, 2]
    assert sizes(5.0, 8, 20.0) == [4, 4, 4, 4]
    assert sizes(15.0, 8, 10.0) == [1] * 6
    assert list(batches([], 8, 80.0)) == []


@pytest.mark.parametrize(
    ("window", "hop", "message"),
    [
        (0.01, 0.01, "25 ms or longer"),
        (float("nan"), 1, "25 ms or longer|finite"),
        (3, 0, "above 0 s"),
        (3, 4, "at most the window of 3 s"),
        (3, -1, "above 0 s"),
    ],
)
def test_bad_lengths_are_refused(window: float, hop: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Windows(window, hop)


def test_silence_is_separated_from_quiet_speech() -> None:
    speech = voice(0, 1.0)
    assert has_sound(speech)
    assert has_sound(speech / np.abs(speech).max() * np.float32(10 ** (-45 / 20)))
    assert not has_sound(np.zeros(RATE, np.float32))
    rng = np.random.default_rng(0)
    assert not has_sound((1e-4 * rng.standard_normal(RATE)).astype(np.float32))  # -80 dBFS
    click = np.zeros(RATE, np.float32)
    click[5000] = 1
    assert not has_sound(click)
    assert has_sound(speech[:FRAME])
