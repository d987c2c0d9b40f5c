"""Damage to bytes: what transfers, disks and enemies do to files."""

import random
from collections.abc import Callable

EXTREMES = (
    0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 50,
    (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 0x7FC00000, 0x7F800000, 0xFF7FFFFF, 0x7FF0000000000000,
)  # fmt: skip
HEADER = 256  # bytes
SPAN = 4096  # bytes of an inserted, removed, repeated or zeroed part

Mutation = Callable[[random.Random, bytearray, bytes], bytearray]


def mutated(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Return damaged data: one to three mutations, drawn at random.

    Args:
        rng: source of all randomness.
        data: what is damaged.
        other: another file, parts of which may be joined to it.
    """
    changed = bytearray(data)
    for mutation in rng.choices(MUTATIONS, k=rng.choice((1, 1, 2, 3))):
        changed = mutation(rng, changed, other)
    return bytes(changed)


def _part(rng: random.Random, data: bytes | bytearray) -> slice:
    start = rng.randrange(len(data) + 1)
    return slice(start, start + rng.randint(1, SPAN))


def flip(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Flip up to 64 bits, anywhere or in the header."""
    end = rng.choice((HEADER, len(data)))
    for _bit in range(rng.choice((1, 2, 8, 64))):
        if data:
            data[rng.randrange(min(end, len(data)))] ^= 1 << rng.randrange(8)
    return data


def truncate(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Cut off the end, often within the header."""
    return data[: rng.randrange(rng.choice((HEADER, len(data) + 1)))]


def insert(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Insert random bytes."""
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice((1, 2, 3, 64, SPAN)))
    return data


def remove(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Remove a part."""
    del data[_part(rng, data)]
    return data


def extreme(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Set fields of the header to extreme values."""
    for _field in range(rng.choice((1, 1, 2))):
        width = rng.choice((1, 2, 4, 4, 4, 8))
        start = rng.randrange(min(len(data), HEADER) // 2 + 1) * 2
        value = rng.choice(EXTREMES) % (1 << 8 * width)
        data[start : start + width] = value.to_bytes(width, rng.choice(("little", "big")))
    return data


def join(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    """Join another file, or the file itself once more, at the end or within it."""
    start = rng.choice((len(data), rng.randrange(len(data) + 1)))
    return data[:start] + rng.choice((other, bytes(data)))


def zeros(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Replace a part with zeros."""
    part = _part(rng, data)
    data[part] = bytes(len(data[part]))
    return data


def repeat(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Repeat a part."""
    part = _part(rng, data)
    data[part.start : part.start] = data[part] * rng.choice((1, 2, 20))
    return data


MUTATIONS: tuple[Mutation, ...] = (
    flip, flip, truncate, insert, remove, extreme, extreme, extreme, join, zeros, repeat,
)  # fmt: skip
