"""A random order that is computed, not stored: a keyed bijection of [0, n).

The i-th element of a shuffled range is found in O(1) time and memory by a Feistel network over the smallest
even number of bits that holds n, walking the cycle until the value falls below n (Black and Rogaway,
"Ciphers with Arbitrary Finite Domains", 2002). So a training run's position in its data is (seed, step)
alone, and going on at any step costs nothing.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Int64s: TypeAlias = npt.NDArray[np.int64]
Uint64s: TypeAlias = npt.NDArray[np.uint64]

ROUNDS = 6
"""Feistel rounds; four suffice where the round functions are ideal (Luby and Rackoff, 1988)."""

_GOLDEN = 0x9E3779B97F4A7C15


def mix(value: Uint64s) -> Uint64s:
    """SplitMix64's finaliser (Steele et al., 2014): every bit of the result hangs on every bit of `value`."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def hash_key(*parts: int) -> int:
    """One 64-bit number from several: a seed and an epoch, say, or a seed and a step."""
    key = np.zeros(1, dtype=np.uint64)
    for part in parts:
        key = mix(key + np.uint64((part + _GOLDEN) % 2**64))
    return int(key[0])


def permute(indices: Int64s, size: int, keys: Uint64s) -> Int64s:
    """Where each of `indices` in [0, size) goes in the permutation that its key of `keys` selects.

    For one key, the results over all of [0, size) are [0, size) again in another order.

    Example:
        >>> sorted(permute(np.arange(5), 5, np.full(5, 7, dtype=np.uint64)).tolist())
        [0, 1, 2, 3, 4]
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    result = indices.astype(np.uint64)
    outside = np.ones(len(result), dtype=bool)
    while outside.any():
        result[outside] = _feistel(result[outside], half, keys[outside])
        outside = result >= np.uint64(size)
    return result.astype(np.int64)


def _feistel(values: Uint64s, half: int, keys: Uint64s) -> Uint64s:
    """One pass over values of 2 × `half` bits."""
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = values >> bits, values & mask
    for round_number in range(ROUNDS):
        round_key = mix(keys + np.uint64(_GOLDEN * (round_number + 1) % 2**64))
        left, right = right, left ^ (mix(right + round_key) & mask)
    return (left << bits) | right
