"""Positions are pure functions of (seed, step): windows without replacement, streams without gaps."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import UsageError
from nlpkit.text import ShardWriter, TokenShards
from nlpkit.training.permutation import hash_key, permute
from nlpkit.training.positions import NO_TARGET, Documents, Streams, Windows, read_rows


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 5000), key=st.integers(0, 2**64 - 1))
def test_permutation_is_a_bijection(size: int, key: int) -> None:
    keys = np.full(size, key, dtype=np.uint64)
    assert sorted(permute(np.arange(size), size, keys).tolist()) == list(range(size))


def test_permutation_looks_shuffled_and_hangs_on_its_key() -> None:
    size = 10_000
    one, other = (
        permute(np.arange(size), size, np.full(size, hash_key(seed), dtype=np.uint64)) for seed in (1, 2)
    )
    assert abs(np.corrcoef(np.arange(size), one)[0, 1]) < 0.05
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05
    assert (one == other).mean() < 0.01


def test_hash_key_hangs_on_every_part_and_their_order() -> None:
    keys = {hash_key(*parts) for parts in [(1, 2), (2, 1), (1,), (1, 2, 0), (-1, 2)]}
    assert len(keys) == 5


@settings(max_examples=40, deadline=None)
@given(
    context=st.integers(1, 20), extra=st.integers(1, 300), batch=st.integers(1, 9), seed=st.integers(0, 99)
)
def test_windows_cover_each_window_once_per_epoch(context: int, extra: int, batch: int, seed: int) -> None:
    tokens = context + extra
    positions = Windows(tokens, context, batch, seed)
    needed = -(-2 * positions.windows // batch)
    starts = np.concatenate([positions.starts(step) for step in range(needed)])
    for epoch in range(2):
        seen = np.sort(starts[epoch * positions.windows : (epoch + 1) * positions.windows])
        assert (np.diff(seen) == context).all()
        assert seen[0] >= 0
        assert seen[-1] + context + 1 <= tokens


def test_windows_leave_out_less_than_a_window_at_either_end() -> None:
    positions = Windows(tokens=1000, context_length=10, batch_size=99, seed=3)
    assert positions.windows == 99
    firsts = {int(positions.starts(epoch).min()) for epoch in range(40)}
    assert firsts <= set(range(10))
    assert len(firsts) > 5, "each epoch cuts the tokens elsewhere"


def test_windows_of_a_step_do_not_hang_on_the_steps_before() -> None:
    one, other = Windows(5000, 16, 8, seed=7), Windows(5000, 16, 8, seed=7)
    for step in range(50):
        one.starts(step)
    assert (one.starts(50) == other.starts(50)).all()
    assert not (one.starts(50) == Windows(5000, 16, 8, seed=8).starts(50)).all()


def test_streams_are_contiguous_until_the_epoch_ends() -> None:
    positions = Streams(tokens=103, context_length=5, batch_size=4)
    assert positions.windows == 5
    assert [positions.begins_anew(step) for step in range(7)] == [True, *[False] * 4, True, False]
    for step in range(4):
        assert (positions.starts(step + 1) - positions.starts(step) == 5).all()
    assert (positions.starts(5) == positions.starts(0)).all()
    lanes = positions.starts(0)
    assert (np.diff(lanes) == 25).all()
    assert lanes[-1] + 25 + 1 <= 103


@pytest.mark.parametrize(("positions", "batch"), [(Windows, 1), (Streams, 3)])
def test_data_shorter_than_the_context_are_refused(positions: type, batch: int) -> None:
    least = 10 * batch + 1
    arguments = (10, batch) + ((1,) if positions is Windows else ())
    positions(least, *arguments)
    with pytest.raises(UsageError, match=f"hold {least - 1} tokens.*takes {least}.*--context-length"):
        positions(least - 1, *arguments)


def test_rows_are_read_across_shard_files(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, fingerprint="f", n_vocab=100, shard_tokens=7) as writer:
        writer.write(np.arange(40), [40], 40)
    shards = TokenShards(tmp_path)
    inputs, targets = read_rows(shards, np.array([0, 5, 20]), np.array([8, 8, 8]), 8)
    assert inputs.tolist() == [list(range(start, start + 8)) for start in (0, 5, 20)]
    assert (targets == inputs + 1).all()
    assert inputs.dtype == targets.dtype == np.int64


def test_behind_the_end_of_a_row_nothing_is_charged(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, fingerprint="f", n_vocab=100) as writer:
        writer.write(np.arange(10), [10], 10)
    inputs, targets = read_rows(TokenShards(tmp_path), np.array([2, 5]), np.array([3, 1]), 4)
    assert inputs.tolist() == [[2, 3, 4, 0], [5, 0, 0, 0]]
    assert targets.tolist() == [[3, 4, 5, NO_TARGET], [6, NO_TARGET, NO_TARGET, NO_TARGET]]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=12),
    context=st.integers(1, 9),
    batch=st.integers(1, 5),
    end_before=st.booleans(),
)
def test_document_rows_predict_each_token_once_and_cross_no_document(
    sizes: list[int], context: int, batch: int, end_before: bool
) -> None:
    offsets = np.cumsum([0, *sizes]).astype(np.uint64)
    expected = []
    for begin, end in pairwise(offsets.tolist()):
        expected += range(begin if end_before and begin else begin + 1, end)
    if not expected:
        with pytest.raises(UsageError, match=r"no document .* has two tokens"):
            Documents(offsets, context, batch, seed=1, end_before=end_before)
        return
    positions = Documents(offsets, context, batch, seed=1, end_before=end_before)
    steps = -(-positions.windows // batch)
    starts = np.concatenate([positions.starts(step) for step in range(steps)])[: positions.windows]
    lengths = np.concatenate([positions.lengths(step) for step in range(steps)])[: positions.windows]
    assert lengths.min() >= 1
    assert lengths.max() <= context
    predicted = []
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        document = int(np.searchsorted(offsets, start + 1, side="right")) - 1  # of the first target
        assert start + length < offsets[document + 1]
        assert start >= int(offsets[document]) - end_before
        predicted += range(start + 1, start + length + 1)
    assert sorted(predicted) == sorted(expected)
