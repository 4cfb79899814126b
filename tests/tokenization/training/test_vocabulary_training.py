"""From files to vocabulary folders: weights, samples, held-out text, counts files, extension."""

import json
from pathlib import Path

import pytest
import tiktoken

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.text import Corpus
from nlpkit.tokenization import (
    PretokenCounts,
    Tokenizer,
    TrainingText,
    encode_corpus,
    extend_vocabulary,
    pretokenize_text,
    train_vocabulary,
)
from nlpkit.tokenization.patterns import PATTERNS
from nlpkit.tokenization.vocabulary_files import fingerprint

SAMPLE = Path(__file__).parents[3] / "corpora" / "sample"


@pytest.fixture
def lines(tmp_path: Path, sample_texts: list[str]) -> Path:
    """The sample corpus, a document a line."""
    path = tmp_path / "lines.jsonl"
    texts = [line for text in sample_texts for line in text.splitlines() if line]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def counted(text: TrainingText) -> list[tuple[bytes, int]]:
    counts = PretokenCounts()
    text.count(counts)
    return counts.items()


def test_training_writes_a_vocabulary_and_says_what_it_came_to(
    tmp_path: Path, sample_texts: list[str]
) -> None:
    summary = train_vocabulary(TrainingText([SAMPLE]), tmp_path / "v", vocab_size=1500)
    tokenizer = Tokenizer.load(tmp_path / "v")
    assert (summary.vocab_size, summary.new_tokens) == (tokenizer.n_vocab, 1500 - 257) == (1500, 1243)
    assert tokenizer.special_tokens_set == {"<|endoftext|>"}
    assert summary.text_bytes == sum(len(text.encode()) for text in sample_texts)
    assert summary.measured_on == "training text"
    tokens = sum(len(tokenizer.encode_ordinary(text)) for text in sample_texts)
    assert summary.bytes_per_token == pytest.approx(summary.text_bytes / tokens)


def test_special_and_reserved_tokens_come_last(tmp_path: Path) -> None:
    train_vocabulary(
        TrainingText([SAMPLE]), tmp_path / "v", vocab_size=400, special_tokens=["<a>", "<b>"], reserve=2
    )
    tokenizer = Tokenizer.load(tmp_path / "v")
    names = ["<a>", "<b>", "<|reserved_0|>", "<|reserved_1|>"]
    assert [tokenizer.encode_single_token(name) for name in names] == [396, 397, 398, 399]


def test_weights_count_a_source_several_times(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one two")
    (tmp_path / "b.txt").write_text("two")
    inputs = [tmp_path / "a.txt", str(tmp_path / "b.txt")]
    weighted = counted(TrainingText(inputs, weights={str(tmp_path / "b.txt"): 5}))
    assert weighted == [(b" two", 1), (b"one", 1), (b"two", 5)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"other.txt": 2}}, "--weight other.txt=2 names no input"),
        ({"weights": {str(SAMPLE): 0}}, "=0 is not possible"),
        ({"sample": 0.0}, "--sample 0 is not a share"),
        ({"sample": 1.5}, "--sample 1.5 is not a share"),
        ({"held_out": 1.0}, "--held-out 1 is not a share"),
    ],
)
def test_bad_choices_of_text_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingText([SAMPLE], **options)


def test_a_sample_is_of_documents_and_follows_the_seed(lines: Path) -> None:
    everything = len(list(Corpus([lines])))
    samples = {}
    for seed in (1, 2):
        counts = PretokenCounts()
        TrainingText([lines], sample=0.3, seed=seed).count(counts)
        assert 0.2 * everything < counts.documents < 0.4 * everything
        samples[seed] = counts.items()
    assert samples[1] != samples[2]
    assert counted(TrainingText([lines], sample=0.3, seed=1)) == samples[1]


def test_held_out_text_is_what_encoding_validates_on(lines: Path, tmp_path: Path) -> None:
    summary = train_vocabulary(TrainingText([lines], held_out=0.2), tmp_path / "v", vocab_size=600)
    encoded = encode_corpus(
        Corpus([lines]), Tokenizer.load(tmp_path / "v"), tmp_path / "shards", validation=0.2
    )
    assert encoded.validation is not None
    assert summary.documents == encoded.train.documents
    assert summary.text_bytes == encoded.train.text_bytes
    assert summary.measured_on == "held-out text"
    tokens = encoded.validation.tokens - encoded.validation.documents  # each is ended by a token
    assert summary.bytes_per_token == pytest.approx(encoded.validation.text_bytes / tokens)


def test_other_text_can_be_measured_on(lines: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("the river and the sea", encoding="utf-8")
    phases = set()
    pretokenize_text(TrainingText([lines]), tmp_path / "x.counts")
    for text in (TrainingText([lines]), [tmp_path / "x.counts"]):
        summary = train_vocabulary(
            text,
            tmp_path / "v",
            vocab_size=600,
            measure_on=Corpus([other]),
            progress=lambda phase, done, total: phases.add(phase),
        )
        tokens = len(Tokenizer.load(tmp_path / "v").encode("the river and the sea"))
        assert (summary.bytes_per_token, summary.measured_on) == (21 / tokens, "held-out text")
    assert "measuring" in phases
    with pytest.raises(UsageError, match="--held-out and --measure-on both name"):
        train_vocabulary(TrainingText([lines], held_out=0.2), tmp_path / "v", measure_on=Corpus([other]))


def test_counts_files_give_the_vocabulary_of_their_texts(lines: Path, tmp_path: Path) -> None:
    files = []
    for name, inputs in {"a": [lines], "b": [SAMPLE]}.items():
        files.append(tmp_path / f"{name}.counts")
        pretokenize_text(TrainingText(inputs), files[-1])
    from_counts = train_vocabulary(files, tmp_path / "counts", vocab_size=1500)
    from_texts = train_vocabulary(TrainingText([SAMPLE, lines]), tmp_path / "texts", vocab_size=1500)
    ranks = [(tmp_path / name / "vocabulary.tiktoken").read_bytes() for name in ("counts", "texts")]
    assert ranks[0] == ranks[1]
    assert from_counts.bytes_per_token == from_texts.bytes_per_token
    assert from_counts.documents == from_texts.documents


def test_counts_files_keep_to_their_pattern_and_special_tokens(tmp_path: Path) -> None:
    file = tmp_path / "x.counts"
    pretokenize_text(TrainingText([SAMPLE]), file, pattern="gpt2", special_tokens=["<s>"])
    train_vocabulary([file], tmp_path / "v", vocab_size=300, pattern="gpt2", special_tokens=["<s>"])
    train_vocabulary([file], tmp_path / "v", vocab_size=300)
    assert Tokenizer.load(tmp_path / "v").special_tokens_set == {"<s>"}
    with pytest.raises(NlpkitError, match="counted with another split pattern"):
        train_vocabulary([file], tmp_path / "w", vocab_size=300, pattern="cl100k")
    with pytest.raises(NlpkitError, match="counted with the special tokens <s>"):
        train_vocabulary([file], tmp_path / "w", vocab_size=300, special_tokens=[])
    assert not (tmp_path / "w").exists()


def test_nothing_is_written_when_the_text_offers_too_little(tmp_path: Path) -> None:
    with pytest.raises(NlpkitError, match=r"ask for --vocab-size \d+ at most"):
        train_vocabulary(TrainingText([SAMPLE]), tmp_path / "v", vocab_size=10**6)
    assert list(tmp_path.iterdir()) == []


def test_extension_keeps_ids_and_goes_on_as_training_would(tmp_path: Path) -> None:
    """Learning 300 tokens, then 200 more, gives what learning 500 gives, but for the special token's gap."""
    text = TrainingText([SAMPLE])
    train_vocabulary(text, tmp_path / "small", vocab_size=557)
    train_vocabulary(text, tmp_path / "large", vocab_size=757)
    small, large = Tokenizer.load(tmp_path / "small"), Tokenizer.load(tmp_path / "large")
    summary = extend_vocabulary(small, text, tmp_path / "extended", add=200)
    extended = Tokenizer.load(tmp_path / "extended")
    assert (summary.vocab_size, summary.new_tokens, extended.n_vocab) == (757, 200, 757)
    assert extended.eot_token == small.eot_token == 556
    for id in range(557):
        assert extended.decode_single_token_bytes(id) == small.decode_single_token_bytes(id)
    for id in range(557, 757):
        assert extended.decode_single_token_bytes(id) == large.decode_single_token_bytes(id - 1)
    shown = (SAMPLE / "en-river.txt").read_text(encoding="utf-8")
    assert len(extended.encode(shown)) == len(large.encode(shown))
    oracle = tiktoken.Encoding(
        "x",
        pat_str=extended._pat_str,
        mergeable_ranks=extended._mergeable_ranks,
        special_tokens=extended._special_tokens,
    )
    assert oracle.encode(shown) == extended.encode(shown)


def test_extension_keeps_special_tokens_in_the_middle(tmp_path: Path) -> None:
    """Extended twice, the special tokens' gap stays where it is; bytes, ranks and specials keep their ids."""
    text = TrainingText([SAMPLE])
    train_vocabulary(
        text, tmp_path / "v", vocab_size=300, special_tokens=["<|endoftext|>", "<a>", "<a>b"], reserve=2
    )
    first = Tokenizer.load(tmp_path / "v")
    extend_vocabulary(first, text, tmp_path / "w", add=50)
    extend_vocabulary(Tokenizer.load(tmp_path / "w"), text, tmp_path / "x", add=50)
    last = Tokenizer.load(tmp_path / "x")
    assert last.n_vocab == 400
    assert last.special_tokens_set == first.special_tokens_set
    for id in range(first.n_vocab):
        assert last.decode_single_token_bytes(id) == first.decode_single_token_bytes(id)
    assert last.encode("<a>b<|reserved_1|>", allowed_special="all") == [297, 299]
    whole = train_vocabulary(text, tmp_path / "whole", vocab_size=395, special_tokens=[])
    assert whole.new_tokens == 139
    learnt = [last.decode_single_token_bytes(id) for id in [*range(295), *range(300, 400)]]
    trained = Tokenizer.load(tmp_path / "whole")
    assert learnt == [trained.decode_single_token_bytes(id) for id in range(395)]


def test_a_special_token_on_a_ranks_id_is_refused_wherever_it_comes_from(tmp_path: Path) -> None:
    ranks = {bytes([value]): value for value in range(256)} | {b"ab": 256}
    wrong = {"pat_str": PATTERNS["gpt2"], "mergeable_ranks": ranks, "special_tokens": {"<s>": 256}}
    collision = "id 256 stands for two tokens, b'ab' and b'<s>'"
    with pytest.raises(NlpkitError, match=collision):
        Tokenizer("x", **wrong)
    accepted = tiktoken.Encoding("x", **wrong)
    with pytest.raises(NlpkitError, match=collision):
        Tokenizer.from_tiktoken(accepted)
    Tokenizer("x", **{**wrong, "special_tokens": {"<s>": 257}}).save(tmp_path / "v")
    path = tmp_path / "v" / "nlpkit.json"
    description = json.loads(path.read_text(encoding="utf-8")) | {"special_tokens": {"<s>": 256}}
    description["fingerprint"] = fingerprint(description["ranks_sha256"], PATTERNS["gpt2"], {"<s>": 256})
    path.write_text(json.dumps(description), encoding="utf-8")
    with pytest.raises(NlpkitError, match=collision):
        Tokenizer.load(tmp_path / "v")


def test_text_that_spells_special_tokens_teaches_nothing_of_them(tmp_path: Path) -> None:
    """Neither their text nor merges across them: as if each were the end of a document."""
    (tmp_path / "a.txt").write_text("ab<|endoftext|>ab <|endoftext|><|endoftext|>" * 5, encoding="utf-8")
    (tmp_path / "b.txt").write_text("ab\n" * 10, encoding="utf-8")
    special_tokens = ["<|endoftext|>", "<|endoftext|><|endoftext|>"]
    counts = PretokenCounts(special_tokens=special_tokens)
    TrainingText([tmp_path / "a.txt"]).count(counts)
    assert counts.items() == [(b" ", 5), (b"ab", 10)]
    unknown = PretokenCounts(special_tokens=[])  # to a vocabulary without them, it is ordinary text
    TrainingText([tmp_path / "a.txt"]).count(unknown)
    assert b"endoftext" in dict(unknown.items())


def test_extension_from_counts_files_needs_the_same_pattern(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["some text"], vocab_size=258)
    for pattern in ("cl100k", "gpt2"):
        pretokenize_text(TrainingText([SAMPLE]), tmp_path / pattern, pattern=pattern)
    extend_vocabulary(tokenizer, [tmp_path / "cl100k"], tmp_path / "v", add=10)
    with pytest.raises(NlpkitError, match="another split pattern"):
        extend_vocabulary(tokenizer, [tmp_path / "gpt2"], tmp_path / "w", add=10)


def test_extension_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(["some text"], vocab_size=258)
    (tmp_path / "t.txt").write_text("abc")
    text = TrainingText([tmp_path / "t.txt"])
    with pytest.raises(UsageError, match="--add 0 is too small"):
        extend_vocabulary(tokenizer, text, tmp_path / "v", add=0)
    with pytest.raises(NlpkitError, match="ask for --add 2 at most"):
        extend_vocabulary(tokenizer, text, tmp_path / "v", add=3)
    assert not (tmp_path / "v").exists()
