"""Counts in files and under a memory cap: the same as in memory, or a sentence that says what is missing."""

import hashlib
import random
import shutil
from pathlib import Path

import pytest

from nlpkit import _core
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.tokenization.training import learn_tokens, sorted_runs
from nlpkit.tokenization.training.merge_limits import MergeLimits
from nlpkit.tokenization.training.pretoken_counts import PretokenCounts

MB = 1_000_000


@pytest.fixture(scope="module")
def documents() -> list[str]:
    """Half a megabyte with many unique pre-tokens, some of them long, and a skewed rest."""
    choose = random.Random(11)
    common = ["".join(choose.choices("etaoinshrdlu", k=choose.randint(1, 7))) for _ in range(500)]
    documents = []
    for _ in range(60):
        words = choose.choices(common, [1 / rank for rank in range(1, 501)], k=1000)
        rare = ["".join(choose.choices("abcdefé中", k=choose.randint(3, 12))) for _ in range(400)]
        documents.append(" ".join(choose.sample(words + rare, 1400)) + "q" * 300)
    return documents


@pytest.fixture(scope="module")
def counted(documents: list[str]) -> PretokenCounts:
    counts = PretokenCounts()
    counts.add(documents)
    return counts


def test_files_add_up_to_the_whole(documents: list[str], counted: PretokenCounts, tmp_path: Path) -> None:
    for name, part in {"a": documents[:9], "b": documents[9:10], "c": documents[10:]}.items():
        counts = PretokenCounts()
        counts.add(part)
        counts.save(tmp_path / name)
    together = PretokenCounts.load([tmp_path / name for name in "cab"])
    assert together.documents == len(documents)
    assert learn_tokens(together, vocab_size=1000) == learn_tokens(counted, vocab_size=1000)
    assert together.items() == counted.items()
    together.save(tmp_path / "together")
    counted.save(tmp_path / "whole")
    assert (tmp_path / "together").read_bytes() == (tmp_path / "whole").read_bytes()


def test_loaded_files_and_further_texts_are_saved_together(
    documents: list[str], counted: PretokenCounts, tmp_path: Path
) -> None:
    first = PretokenCounts()
    first.add(documents[:30])
    first.save(tmp_path / "first")
    both = PretokenCounts.load([tmp_path / "first"])
    both.add(documents[30:])
    both.save(tmp_path / "both")
    assert PretokenCounts.load([tmp_path / "both"]).items() == counted.items()


def test_the_file_format_is_as_documented(tmp_path: Path) -> None:
    counts = PretokenCounts("gpt2", special_tokens=("<s>",))
    counts.add(["b a a"], weight=100)
    counts.save(tmp_path / "x.counts")
    content = (tmp_path / "x.counts").read_bytes()
    assert content[:16] == b"nlpkitPC" + (1).to_bytes(4, "little") + content[12:16]
    size = int.from_bytes(content[12:16], "little")
    assert content[16:32] == (1).to_bytes(8, "little") + (2).to_bytes(8, "little")
    assert content[32 : 32 + size].startswith(b'{"pat_str": "')
    assert content[32 + size : -32] == b"\x02\xc8\x01 a" + b"\x01\x64b"  # lengths, counts as LEB128, bytes
    assert content[-32:] == hashlib.sha256(content[:-32]).digest()


def spilling(table_bytes: int) -> PretokenCounts:
    """Counts whose tables are so small that they go to disk again and again."""
    counts = PretokenCounts()
    counts._table = _core.PretokenCounts(table_bytes, counts._runs.prefix)
    return counts


@pytest.mark.parametrize("table_bytes", [80_000, 300_000])
@pytest.mark.parametrize("threads", [1, 3])
def test_counts_that_go_to_disk_are_the_same(
    documents: list[str],
    counted: PretokenCounts,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    table_bytes: int,
    threads: int,
) -> None:
    monkeypatch.setattr(sorted_runs, "_OPEN_FILES", 3)
    bounded = spilling(table_bytes)
    phases = set()
    bounded.add(documents[:40], threads=threads, progress=lambda phase, done, total: phases.add(phase))
    bounded.add(documents[40:], threads=threads)
    assert len(bounded._runs) > 0
    bounded.save(tmp_path / "bounded")
    counted.save(tmp_path / "free")
    assert (tmp_path / "bounded").read_bytes() == (tmp_path / "free").read_bytes()
    assert learn_tokens(bounded, vocab_size=3000) == learn_tokens(counted, vocab_size=3000)
    assert bounded.items() == counted.items()


def test_any_bytes_come_out_in_order() -> None:
    """Zeros, prefixes of one another and long equal beginnings: what sorting by parts could get wrong."""
    choose = random.Random(2)
    pieces = {b"\0" * n for n in range(1, 40)} | {b"ab" + b"\0" * n for n in range(30)}
    pieces |= {b"same beginning " * 3 + bytes(choose.choices(range(4), k=k)) for k in range(1, 200)}
    pieces |= {bytes(choose.choices(range(256), k=choose.randint(1, 9))) for _ in range(30_000)}
    shuffled = sorted(pieces, key=lambda _: choose.random())
    expected = sorted(zip(shuffled, range(1, len(shuffled) + 1), strict=True))
    for counts in (PretokenCounts(), spilling(100_000)):
        counts._table.add_pieces(shuffled, list(range(1, len(shuffled) + 1)))
        counts._runs.add(counts._table.take_runs())
        assert counts.items() == expected


def needed(counts: PretokenCounts, n_merges: int) -> int:
    """The memory that a refusal names."""
    with pytest.raises(_core.MemoryNeeded) as caught:
        counts._table.learn_merges(n_merges, max_memory=1000)
    return int(caught.value.args[0])


@pytest.mark.parametrize("n_merges", [300, 3000, 20_000])
def test_the_memory_that_a_refusal_names_is_enough(counted: PretokenCounts, n_merges: int) -> None:
    free, _, _ = counted._table.learn_merges(n_merges)
    assert len(free) == n_merges
    least = needed(counted, n_merges)
    capped, _, _ = counted._table.learn_merges(n_merges, max_memory=least)
    assert capped.tolist() == free.tolist()
    with pytest.raises(_core.MemoryNeeded):
        counted._table.learn_merges(n_merges, max_memory=least - 1)


def test_the_pruning_that_a_refusal_names_is_enough(documents: list[str]) -> None:
    counts = PretokenCounts()
    counts.add(documents)
    counts.add(documents[:30])
    least = needed(counts, 3000)
    with pytest.raises(_core.MemoryNeeded) as caught:
        counts._table.learn_merges(3000, max_memory=least * 3 // 4)
    _, prune_below, pretokens, dropped, occurrences, dropped_occurrences = caught.value.args
    kept = [(token, count) for token, count in counts.items() if count >= prune_below]
    assert (pretokens, pretokens - dropped) == (len(counts.items()), len(kept))
    assert occurrences - dropped_occurrences == sum(count for _, count in kept)
    pruned, _, _ = counts._table.learn_merges(3000, max_memory=least * 3 // 4, prune_below=prune_below)
    assert pruned.tolist() == counts._table.learn_merges(3000, prune_below=prune_below)[0].tolist()


def test_too_little_memory_is_told_in_one_sentence() -> None:
    counts = PretokenCounts(max_memory=16 * MB)
    letters = str.maketrans("0123456789", "ghijklmnop")
    counts.add(f"abcdefqrstuvwxyz{number:x}".translate(letters) for number in range(400_000))
    with pytest.raises(
        NlpkitError, match=r"400,000 unique pre-tokens to 1,999 tokens does not fit .* at least \d+MB\."
    ) as caught:
        learn_tokens(counts, vocab_size=2000)
    assert caught.value.exit_code == 1
    counts.add(["xa ya za"] * 10)
    with pytest.raises(NlpkitError, match=r"or --prune-below 2, which leaves out 400,000 unique"):
        learn_tokens(counts, vocab_size=2000)


def test_a_cap_below_the_least_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 16MB"):
        PretokenCounts(max_memory=1000)


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, documents: list[str]) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    counts = PretokenCounts(max_memory=16 * MB)
    table = type("Table", (), {"memory": 10**9, "add_documents": staticmethod(full)})()
    monkeypatch.setattr(counts, "_table", table)
    with pytest.raises(NlpkitError, match=r"No space left on device\): make room there, or set TMPDIR"):
        counts.add(documents)


def test_a_folder_for_counts_that_is_gone_is_told(documents: list[str]) -> None:
    counts = PretokenCounts()
    shutil.rmtree(counts._runs._folder)
    counts._table = _core.PretokenCounts(80_000, counts._runs.prefix)
    with pytest.raises(NlpkitError, match=r"could not be written .*No such file"):
        counts.add(documents)


def test_the_core_tells_what_the_disk_says(tmp_path: Path, counted: PretokenCounts) -> None:
    with pytest.raises(FileNotFoundError):
        counted._table.append_records(str(tmp_path / "missing" / "x"))
    with pytest.raises(FileNotFoundError):
        _core.merge_records([(str(tmp_path / "missing"), 0, 10)], str(tmp_path / "x"))
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space left"):
            counted._table.append_records("/dev/full")


@pytest.mark.parametrize("damage", ["truncated", "changed", "longer", "another file", "empty", "version"])
def test_damaged_counts_files_are_refused(counted: PretokenCounts, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.counts"
    counted.save(path)
    content = bytearray(path.read_bytes())
    match damage:
        case "truncated":
            content = content[:-100]
        case "changed":
            content[len(content) // 2] ^= 1
        case "longer":
            content += b"x"
        case "another file":
            content = bytearray(b"a text file of some length, no counts at all")
        case "empty":
            content = bytearray()
        case "version":
            content[8] = 9
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"x\.counts"):
        PretokenCounts.load([path])


def test_records_out_of_order_or_cut_off_are_found_by_the_core(tmp_path: Path) -> None:
    path = tmp_path / "records"
    for records in (
        b"\x01\x01b\x01\x01a",
        b"\x01\x01a\x01\x01a",
        b"\x05\x01ab",
        b"\x01",
        b"\x00\x01",
        b"\x01\x00a",
        b"\xff" * 12,
    ):
        path.write_bytes(records)
        with pytest.raises(_core.DamagedRecords):
            _core.PretokenCounts().read_records((str(path), 0, len(records)))


def test_files_of_other_rules_are_not_added_up(tmp_path: Path) -> None:
    for name, pattern, specials in [("a", "gpt2", ()), ("b", "cl100k", ()), ("c", "gpt2", ("<s>",))]:
        PretokenCounts(pattern, special_tokens=specials).save(tmp_path / name)
    with pytest.raises(NlpkitError, match=r"different split patterns"):
        PretokenCounts.load([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(NlpkitError, match=r"different special tokens"):
        PretokenCounts.load([tmp_path / "a", tmp_path / "c"])


def test_a_missing_counts_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.counts does not exist"):
        PretokenCounts.load([tmp_path / "nothing.counts"])
    with pytest.raises(UsageError, match="no counts file was given"):
        PretokenCounts.load([])


def test_limits_name_the_option() -> None:
    with pytest.raises(UsageError, match="--max-token-bytes 0"):
        MergeLimits(max_token_bytes=0)
