"""`encode_corpus`: shards equal to straightforward encoding, the same for any number of threads."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError, VocabularyMismatchError
from nlpkit.text import Corpus, Document, TokenShards
from nlpkit.tokenization import (
    Tokenizer,
    Vocabulary,
    WordVocabulary,
    encode_corpus,
    load_vocabulary,
)
from nlpkit.tokenization.encoding import corpus as corpus_module
from nlpkit.tokenization.encoding import journal as journal_module
from nlpkit.tokenization.encoding.splits import Split


def documents(*texts: str) -> list[Document]:
    return [Document(text, "test") for text in texts]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shard_text(folder: Path, vocabulary: Tokenizer) -> str:
    shards = TokenShards(folder, fingerprint=vocabulary.fingerprint)
    return vocabulary.decode(shards.read(0, len(shards))).replace("<|endoftext|>", "")


@pytest.fixture(scope="module")
def corpus(sample_texts: list[str]) -> list[Document]:
    """A few hundred documents, some of them copies of each other."""
    paragraphs = [part for text in sample_texts for part in text.split("\n\n")]
    return documents(*paragraphs, *paragraphs[::3], "", "lone \ud800 surrogate")


def test_shards_hold_each_document_and_its_end(
    tokenizer: Tokenizer, corpus: list[Document], tmp_path: Path
) -> None:
    summary = encode_corpus(corpus, tokenizer, tmp_path / "out", validation=0)
    shards = TokenShards(tmp_path / "out" / "train", fingerprint=tokenizer.fingerprint)
    shards.verify()
    expected = [[*tokenizer.encode(document.text), tokenizer.eot_token] for document in corpus]
    assert [shards.document(i).tolist() for i in range(len(corpus))] == expected
    assert summary.train.documents == shards.index.documents == len(corpus)
    assert summary.train.tokens == len(shards) == sum(map(len, expected))
    size = sum(
        len(document.text.encode("utf-8", "replace" if "\ud800" in document.text else "strict"))
        for document in corpus
    )
    assert summary.train.text_bytes == shards.index.text_bytes == size + 2  # U+FFFD has three bytes, ? one
    assert summary.train.bytes_per_token == pytest.approx(summary.train.text_bytes / summary.train.tokens)
    assert summary.validation is None
    assert not (tmp_path / "out" / "validation").exists()
    assert load_vocabulary(tmp_path / "out" / "vocabulary").fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize("split", ["documents", "tail"])
def test_files_are_the_same_for_any_number_of_threads_and_batch_size(
    split: Split,
    tokenizer: Tokenizer,
    corpus: list[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = []
    for threads, batch_bytes in ((1, 2**23), (2, 2**23), (4, 2**23), (2, 1000)):
        monkeypatch.setattr(corpus_module, "BATCH_BYTES", batch_bytes)
        out = tmp_path / f"{threads}-{batch_bytes}"
        encode_corpus(corpus, tokenizer, out, validation=0.2, split=split, threads=threads)
        results.append(contents(out))
    assert len(results[0]) == 8
    assert all(result == results[0] for result in results)


def test_the_split_by_documents_follows_content_alone(
    tokenizer: Tokenizer, corpus: list[Document], tmp_path: Path
) -> None:
    sides: list[dict[str, set[tuple[int, ...]]]] = []
    for name, order in (("forward", corpus), ("backward", corpus[::-1])):
        summary = encode_corpus(order, tokenizer, tmp_path / name, validation=0.25)
        found = {}
        for side in ("train", "validation"):
            shards = TokenShards(tmp_path / name / side)
            found[side] = {tuple(shards.document(i).tolist()) for i in range(shards.index.documents)}
        sides.append(found)
        assert summary.validation is not None
        assert summary.train.documents + summary.validation.documents == len(corpus)
        assert 0.15 < summary.validation.documents / len(corpus) < 0.35
    assert sides[0] == sides[1]
    assert not sides[0]["train"] & sides[0]["validation"]  # copies land on one side


def test_the_split_by_documents_is_the_documented_hash(tokenizer: Tokenizer, tmp_path: Path) -> None:
    texts = [f"document {number}" for number in range(50)]
    encode_corpus(documents(*texts), tokenizer, tmp_path / "out", validation=0.5)
    chosen = [
        t for t in texts if int.from_bytes(hashlib.sha256(t.encode()).digest()[:6], "big") / 2**48 < 0.5
    ]
    shards = TokenShards(tmp_path / "out" / "validation")
    assert [tokenizer.decode(shards.document(i)[:-1]) for i in range(shards.index.documents)] == chosen


@pytest.mark.parametrize("text", ["abcdefghij" * 100, "中文🎉" * 100, "é" * 999])
def test_the_tail_is_cut_inside_one_document_at_a_character(
    text: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    summary = encode_corpus(documents(text), tokenizer, tmp_path / "out", validation=0.1, split="tail")
    head = shard_text(tmp_path / "out" / "train", tokenizer)
    tail = shard_text(tmp_path / "out" / "validation", tokenizer)
    assert head + tail == text
    assert summary.validation is not None
    size = len(text.encode())
    assert int(size * 0.9) - 3 <= summary.train.text_bytes <= int(size * 0.9)
    assert summary.train.text_bytes + summary.validation.text_bytes == size


def test_the_tail_of_several_documents_keeps_their_order(
    tokenizer: Tokenizer, corpus: list[Document], tmp_path: Path
) -> None:
    texts = corpus[:50]
    encode_corpus(texts, tokenizer, tmp_path / "out", validation=0.3, split="tail")
    halves = [shard_text(tmp_path / "out" / side, tokenizer) for side in ("train", "validation")]
    assert "".join(halves) == "".join(document.text for document in texts)


def test_tinyshakespeares_tail_is_the_one_of_nanogpt(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """data[: int(n * 0.9)] of 1,115,394 characters, whatever they are."""
    summary = encode_corpus(
        documents("ab" * 557_697), tokenizer, tmp_path / "out", validation=0.1, split="tail"
    )
    assert summary.train.text_bytes == 1_003_854


def test_word_vocabularies_write_the_same_shards(corpus: list[Document], tmp_path: Path) -> None:
    vocabulary = WordVocabulary.train((document.text for document in corpus), min_count=2)
    encode_corpus(corpus, vocabulary, tmp_path / "out", validation=0)
    shards = TokenShards(tmp_path / "out" / "train", fingerprint=vocabulary.fingerprint)
    for i in (0, 7, len(corpus) - 2):
        assert shards.document(i).tolist() == [*vocabulary.encode_ordinary(corpus[i].text), 1]


def test_ids_beyond_16_bits_are_written_whole(tmp_path: Path) -> None:
    ranks = {bytes([value]): value for value in range(256)} | {b"ab": 70_000}
    tokenizer = Tokenizer("wide", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={})
    encode_corpus(documents("ab c"), tokenizer, tmp_path / "out", validation=0)
    shards = TokenShards(tmp_path / "out" / "train")
    assert shards.read(0, 3).tolist() == [70_000, 32, 99]
    assert shards.read(0, 3).dtype == np.uint32
    assert len(shards) == 3  # no document-end id without <|endoftext|>


def test_shards_of_another_vocabulary_are_refused(
    tokenizer: Tokenizer, corpus: list[Document], tmp_path: Path
) -> None:
    encode_corpus(corpus, tokenizer, tmp_path / "out", validation=0)
    other: Vocabulary = WordVocabulary.train(["a a a a a"])
    with pytest.raises(VocabularyMismatchError, match="encode the corpus again with the vocabulary"):
        TokenShards(tmp_path / "out" / "train", fingerprint=other.fingerprint)


# ====================
# What begins, ends and varies documents
# ====================


def test_documents_may_begin_with_a_token_and_end_without_one(tmp_path: Path) -> None:
    ranks = {bytes([value]): value for value in range(256)}
    special = {"<|endoftext|>": 300, "<|bos|>": 301}
    tokenizer = Tokenizer("x", pat_str="cl100k", mergeable_ranks=ranks, special_tokens=special)
    expected = {(True, True): [301, 97, 300, 301, 98, 99, 300], (True, False): [301, 97, 301, 98, 99]}
    expected |= {(False, True): [97, 300, 98, 99, 300], (False, False): [97, 98, 99]}
    for (begins, ends), ids in expected.items():
        out = tmp_path / f"{begins}-{ends}"
        options = {"bos": "<|bos|>" if begins else None, "eos": ends}
        encode_corpus(documents("a", "bc"), tokenizer, out, validation=0, **options)  # type: ignore[arg-type]
        shards = TokenShards(out / "train")
        assert shards.read(0, len(shards)).tolist() == ids
        assert shards.document(1).tolist() == ids[len(ids) // 2 :]


def test_dropout_makes_other_shards_of_the_same_text(
    tokenizer: Tokenizer, corpus: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for name, seed, threads, batch_bytes in (("a", 1, 1, 2**22), ("b", 1, 3, 500), ("c", 2, 1, 2**22)):
        monkeypatch.setattr(corpus_module, "BATCH_BYTES", batch_bytes)
        encode_corpus(corpus, tokenizer, tmp_path / name, dropout=0.2, seed=seed, threads=threads)
        results.append(contents(tmp_path / name))
        for split in ("train", "validation"):
            plain = shard_text(tmp_path / name / split, tokenizer)
            encode_corpus(corpus, tokenizer, tmp_path / "plain")
            assert plain == shard_text(tmp_path / "plain" / split, tokenizer)
    assert results[0] == results[1]
    assert results[0]["train/shard_00000.bin"] != results[2]["train/shard_00000.bin"]
    shards = TokenShards(tmp_path / "a" / "train")
    first = tokenizer.encode_documents([tokenizer.decode(shards.document(0)[:-1])], dropout=0.2, seed=1)
    assert shards.document(0)[:-1].tolist() == first.ids.tolist()


def test_a_pattern_without_a_scanner_writes_the_same_shards(corpus: list[Document], tmp_path: Path) -> None:
    ranks = {bytes([value]): value for value in range(256)} | {b"th": 256, b"the": 257}
    for pattern in ("cl100k", "gpt2"):
        scanner = Tokenizer("x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        regex = Tokenizer("x", pat_str=f"{scanner._pat_str}|zzz+", mergeable_ranks=ranks, special_tokens={})
        for name, one in (("scanner", scanner), ("regex", regex)):
            encode_corpus(corpus, one, tmp_path / name, validation=0.3)
        for split in ("train", "validation"):
            files = [tmp_path / name / split / "shard_00000.bin" for name in ("scanner", "regex")]
            assert files[0].read_bytes() == files[1].read_bytes()


def test_files_are_encoded_as_their_documents(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "one"}\n{"body": "two \\u4e2d"}\n')
    (tmp_path / "b.txt").write_text("three\nfour\n")
    inputs = [tmp_path / "a.jsonl", tmp_path / "b.txt"]
    summary = tokenizer.encode_files(inputs, tmp_path / "out", field="body", lines=True, validation=0)
    shards = TokenShards(tmp_path / "out" / "train", fingerprint=tokenizer.fingerprint)
    texts = [tokenizer.decode(shards.document(i)[:-1]) for i in range(shards.index.documents)]
    assert texts == ["one", "two 中", "three", "four"]
    assert summary.train.text_bytes == sum(len(text.encode()) for text in texts)


# ====================
# Going on
# ====================


@pytest.fixture
def files(tmp_path: Path, sample_texts: list[str]) -> Path:
    """A few hundred documents in a .jsonl file."""
    parts = [part for text in sample_texts for part in text.split("\n")]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": part}) + "\n" for part in parts))
    return path


@pytest.mark.parametrize("split", ["documents", "tail"])
@pytest.mark.parametrize("stop_at", [0.3, 0.9])
def test_stopped_work_goes_on_to_the_same_files(
    split: Split, stop_at: float, files: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "BATCH_BYTES", 2000)
    monkeypatch.setattr(journal_module, "CHECKPOINT_SECONDS", 0)
    folder = files.parent
    encode_corpus(Corpus([files]), tokenizer, folder / "whole", split=split)
    n_batches = sum(1 for _ in Corpus([files]).batches(2000))
    calls: list[str] = []

    def stop(phase: str, done: int, total: int) -> None:
        calls.append(phase)
        if calls.count("encode") > stop_at * n_batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_corpus(Corpus([files]), tokenizer, folder / "out", split=split, progress=stop)
    assert not (folder / "out").exists()
    assert (folder / ".out.partial" / "journal.json").is_file()
    calls.clear()
    encode_corpus(
        Corpus([files]), tokenizer, folder / "out", split=split, progress=lambda *call: calls.append(call[0])
    )
    assert 0 < calls.count("encode") < (1 - stop_at) * n_batches + 2
    assert contents(folder / "out") == contents(folder / "whole")
    assert not (folder / ".out.partial").exists()


@pytest.mark.parametrize("change", ["options", "corpus", "vocabulary", "journal"])
def test_other_work_begins_anew(
    change: str, files: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_module, "BATCH_BYTES", 2000)
    monkeypatch.setattr(journal_module, "CHECKPOINT_SECONDS", 0)
    out = files.parent / "out"

    calls: list[int] = []

    def stop(phase: str, done: int, total: int) -> None:
        calls.append(done)
        if len(calls) == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_corpus(Corpus([files]), tokenizer, out, validation=0, progress=stop)
    options = {"eos": change != "options"}
    if change == "corpus":
        files.write_text(files.read_text() + '{"text": "one more"}\n')
    if change == "vocabulary":
        tokenizer = Tokenizer(
            "x", pat_str="gpt2", mergeable_ranks=tokenizer._mergeable_ranks, special_tokens={}
        )
    if change == "journal":
        (files.parent / ".out.partial" / "journal.json").write_text("{")
    encode_corpus(Corpus([files]), tokenizer, out, validation=0, **options)
    encode_corpus(Corpus([files]), tokenizer, files.parent / "whole", validation=0, **options)
    assert contents(out) == contents(files.parent / "whole")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_work_goes_on(files: Path, tokenizer: Tokenizer) -> None:
    """Killed by the system in the middle of a batch, with nothing tidied up."""
    folder = files.parent
    tokenizer.save(folder / "vocabulary")
    code = f"""
import os, signal
from nlpkit.text import Corpus
from nlpkit.tokenization import encode_corpus, load_vocabulary
from nlpkit.tokenization.encoding import corpus, journal
corpus.BATCH_BYTES, journal.CHECKPOINT_SECONDS = 2000, 0
files, vocabulary, out = {str(files)!r}, {str(folder / "vocabulary")!r}, {str(folder / "out")!r}
calls = []
def progress(phase, done, total):
    calls.append(done)
    if os.environ.get("KILL") and len(calls) == 10:
        os.kill(os.getpid(), signal.SIGKILL)
encode_corpus(Corpus([files]), load_vocabulary(vocabulary), out, progress=progress)
"""
    killed = subprocess.run([sys.executable, "-c", code], env=os.environ | {"KILL": "1"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (folder / "out").exists()
    journal = json.loads((folder / ".out.partial" / "journal.json").read_text())
    assert journal["state"]["batches"] == 9
    subprocess.run([sys.executable, "-c", code], check=True)
    encode_corpus(Corpus([files]), tokenizer, folder / "whole")
    assert contents(folder / "out") == contents(folder / "whole")
    TokenShards(folder / "out" / "train").verify()


@pytest.mark.skipif(os.name != "posix", reason="files are locked on POSIX systems only")
def test_two_at_once_are_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    def again(phase: str, done: int, total: int) -> None:
        encode_corpus(documents("a"), tokenizer, tmp_path / "out", validation=0)

    with pytest.raises(NlpkitError, match="another nlpkit is writing"):
        encode_corpus(documents("a"), tokenizer, tmp_path / "out", validation=0, progress=again)
    assert not any(tmp_path.iterdir())


# ====================
# Bad input
# ====================


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bos": "<|bos|>"}, r"--bos <\|bos\|> is no special token of this vocabulary: use one of its own"),
        ({"dropout": 2.0}, "dropout 2.0 is no probability"),
        ({"dropout": 0.1, "seed": -1}, "seed -1 is not from 0"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, object], message: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        encode_corpus(documents("a"), tokenizer, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{"bos": "<eos>"}, {"dropout": 0.1}])
def test_words_have_neither_merges_nor_special_tokens(options: dict[str, object], tmp_path: Path) -> None:
    words = WordVocabulary.train(["a a a a a"])
    with pytest.raises(UsageError, match="vocabulary"):
        encode_corpus(documents("a"), words, tmp_path / "out", **options)  # type: ignore[arg-type]


def test_an_error_in_the_reader_reaches_the_caller(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\n{"text": 5}\n')
    with pytest.raises(CorruptFileError, match=r"a\.jsonl:2: field 'text' is not a string"):
        encode_corpus(Corpus([path]), tokenizer, tmp_path / "out", validation=0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.jsonl"]


@pytest.mark.parametrize("validation", [-0.1, 1.0, 10, float("nan")])
def test_a_validation_that_is_no_share_is_refused(
    validation: float, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"--validation {validation} is not a share"):
        encode_corpus(documents("a"), tokenizer, tmp_path / "out", validation=validation)


def test_an_unknown_split_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--split 'random' does not exist: use documents or tail"):
        encode_corpus(documents("a"), tokenizer, tmp_path / "out", split="random")  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["documents", "tail"])
@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_a_corpus_without_text_is_refused(
    split: Split, texts: list[str], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(NlpkitError, match="the corpus has no text"):
        encode_corpus(documents(*texts), tokenizer, tmp_path / "out", split=split)
    assert not any(tmp_path.iterdir())


def test_an_empty_side_is_refused_and_the_cure_named(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(NlpkitError, match=r"no text fell into .*: use --split tail"):
        encode_corpus(documents("one document"), tokenizer, tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_a_failure_leaves_what_was_there(tokenizer: Tokenizer, tmp_path: Path) -> None:
    encode_corpus(documents("a b c"), tokenizer, tmp_path / "out", validation=0)
    before = contents(tmp_path)

    def stop(phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_corpus(documents("d e f"), tokenizer, tmp_path / "out", validation=0, progress=stop)
    assert contents(tmp_path) == before


def test_an_out_that_cannot_be_written_is_an_os_error(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        encode_corpus(documents("a"), tokenizer, tmp_path / "file" / "out", validation=0)
    with pytest.raises(UsageError, match="is a file"):
        encode_corpus(documents("a"), tokenizer, tmp_path / "file", validation=0)


def test_a_corpus_that_changes_between_two_readings_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    texts = iter([documents("a" * 100), documents("a" * 90)])

    class Changing:
        def __iter__(self):  # type: ignore[no-untyped-def]
            return iter(next(texts))

    with pytest.raises(NlpkitError, match="changed while it was read"):
        encode_corpus(Changing(), tokenizer, tmp_path / "out", split="tail")


def test_progress_tells_the_bytes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    calls = []
    encode_corpus(
        documents("ab", "中"), tokenizer, tmp_path / "out", split="tail", validation=0.5,
        progress=lambda *call: calls.append(call),
    )  # fmt: skip
    assert calls == [("measure", 5, 0), ("encode", 5, 5)]
