"""`encode_corpus`: shards equal to straightforward encoding, the same for any number of threads."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from nlpkit.errors import NlpkitError, UsageError, VocabularyMismatchError
from nlpkit.text import Document, TokenShards
from nlpkit.tokenization import (
    Tokenizer,
    Vocabulary,
    WordVocabulary,
    encode_corpus,
    encoding,
    load_vocabulary,
)


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
    split: encoding.Split,
    tokenizer: Tokenizer,
    corpus: list[Document],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = []
    for threads, batch_bytes in ((1, 2**23), (2, 2**23), (4, 2**23), (2, 1000)):
        monkeypatch.setattr(encoding, "BATCH_BYTES", batch_bytes)
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
# Bad input
# ====================


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
    split: encoding.Split, texts: list[str], tokenizer: Tokenizer, tmp_path: Path
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
    assert calls[:2] == [("measure", 2, 0), ("measure", 5, 0)]
    assert calls[-1] == ("encode", 5, 5)
