"""BPE training: equal to the plain-Python reference and to Hugging Face, whatever the threads."""

import gzip
import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.progress import no_progress
from nlpkit.tokenization import reference
from nlpkit.tokenization.patterns import PATTERNS, split
from nlpkit.tokenization.training import learn_tokens, train_bpe
from nlpkit.tokenization.training.merge_limits import NO_LIMITS, MergeLimits
from nlpkit.tokenization.training.pretoken_counts import PretokenCounts

# The same splits in the dialect of Oniguruma, which Hugging Face uses: there `$` also stands before a
# newline, and `{1,3}+` repeats instead of being possessive.
ONIGURUMA = {
    "gpt2": PATTERNS["gpt2"].replace("$", r"\z"),
    "cl100k": PATTERNS["cl100k"].replace(r"{1,3}+", r"{1,3}").replace("$", r"\z"),
    "o200k": PATTERNS["o200k"],
    "llama3": PATTERNS["llama3"],
}


def hugging_face_tokens(documents: list[str], n_merges: int, pattern: str, min_count: int = 0) -> list[bytes]:
    """What BpeTrainer learns, as bytes."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ONIGURUMA[pattern]), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=256 + n_merges,
        min_frequency=min_count,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    ids = tokenizer.get_vocab()
    printable = [chr(byte) for byte in (*range(33, 127), *range(161, 173), *range(174, 256))]
    others = [byte for byte in range(256) if chr(byte) not in printable]
    byte_of = {char: ord(char) for char in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    return [bytes(byte_of[char] for char in token) for token in sorted(ids, key=ids.__getitem__)]


def reference_tokens(
    documents: list[str], n_merges: int, pattern: str = "cl100k", min_count: int = 1
) -> list[bytes]:
    counts = Counter(piece for document in documents for piece in split(document, PATTERNS[pattern]))
    return reference.train(counts, n_merges=n_merges, min_count=min_count)


def count_pretokens(documents: list[str], *, weight: int = 1, threads: int = 0) -> PretokenCounts:
    counts = PretokenCounts(special_tokens=())
    counts.add(documents, weight=weight, threads=threads)
    return counts


def merge_all(counts: PretokenCounts, limits: MergeLimits = NO_LIMITS, wanted: int = 5000) -> list[list[int]]:
    """The merges that there are, up to that many."""
    merges, _, _ = counts.learn_merges(wanted, limits, ranks=None, first_id=256, progress=no_progress)
    return merges.tolist()


def largest_vocabulary(documents: list[str], limits: MergeLimits = NO_LIMITS) -> list[bytes]:
    counts = count_pretokens(documents)
    size = 256 + len(merge_all(counts, limits))
    return learn_tokens(counts, vocab_size=size, special_tokens=(), limits=limits).tokens


@pytest.fixture(scope="module")
def text() -> list[str]:
    """A small text with structure: words drawn with a skewed frequency, from several scripts."""
    choose = random.Random(3)
    letters = ["abcdefgh", "αβγδε", "中文字母", "0123456789", "  \n\t", "àéîõü", "😀👍🏽"]
    words = ["".join(choose.choices(choose.choice(letters), k=choose.randint(1, 6))) for _ in range(400)]
    weights = [1 / rank for rank in range(1, 401)]
    return [" ".join(choose.choices(words, weights, k=300)) for _ in range(20)]


@settings(max_examples=100, deadline=None)
@given(
    documents=st.lists(st.text(alphabet="abAB c'1é中\n"), max_size=8),
    min_count=st.integers(1, 3),
)
def test_equal_to_the_reference(documents: list[str], min_count: int) -> None:
    expected = reference_tokens(documents, 5000, min_count=min_count)
    assert largest_vocabulary(documents, MergeLimits(min_count)) == expected


@settings(max_examples=100, deadline=None)
@given(words=st.lists(st.text(alphabet="ab", min_size=1, max_size=40), min_size=1, max_size=12))
def test_runs_and_overlaps_equal_the_reference(words: list[str]) -> None:
    assert largest_vocabulary(words) == reference_tokens(words, 5000)


@settings(max_examples=100, deadline=None)
@given(words=st.lists(st.text(alphabet="abc", min_size=1, max_size=30), min_size=1, max_size=12))
def test_no_two_merges_make_the_same_bytes(words: list[str]) -> None:
    tokens = largest_vocabulary(words)
    assert len(set(tokens)) == len(tokens)


@st.composite
def tiny_corpora(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Documents over two to four characters, each with a weight: so small that most counts are ties."""
    alphabet = draw(st.lists(st.sampled_from("abB c'1é中\n"), min_size=2, max_size=4, unique=True))
    return draw(st.lists(st.tuples(st.text(alphabet, max_size=25), st.integers(1, 4)), max_size=5))


@settings(max_examples=60, deadline=None)
@given(corpus=tiny_corpora(), min_count=st.integers(1, 4), pattern=st.sampled_from(sorted(ONIGURUMA)))
def test_weighted_tiny_corpora_equal_the_reference_and_hugging_face(
    corpus: list[tuple[str, int]], min_count: int, pattern: str
) -> None:
    counts = PretokenCounts(pattern, special_tokens=())
    for document, weight in corpus:
        counts.add([document], weight=weight)
    limits = MergeLimits(min_count)
    size = 256 + len(merge_all(counts, limits))
    learnt = learn_tokens(counts, vocab_size=size, special_tokens=(), limits=limits).tokens
    repeated = [document for document, weight in corpus for _ in range(weight)]
    assert learnt == reference_tokens(repeated, 5000, pattern, min_count)
    assert learnt == hugging_face_tokens(repeated, 5000, pattern, min_count)


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k", "llama3"])
def test_equal_to_hugging_face(text: list[str], pattern: str) -> None:
    expected = hugging_face_tokens(text, 600, pattern)
    assert train_bpe(text, vocab_size=len(expected), pattern=pattern, special_tokens=()) == expected


def test_equal_to_hugging_face_with_min_count(text: list[str]) -> None:
    expected = hugging_face_tokens(text, 10_000, "cl100k", min_count=4)
    assert 256 < len(expected) < 10_000
    assert largest_vocabulary(text, MergeLimits(4)) == expected


def test_any_regex_trains_as_its_named_twin(text: list[str]) -> None:
    unknown = PATTERNS["cl100k"] + "|(?!)"  # an alternative that never matches hides it from the scanners
    assert train_bpe(text, vocab_size=700, pattern=unknown) == train_bpe(
        text, vocab_size=700, pattern="cl100k"
    )


def test_threads_order_and_sharding_do_not_matter(text: list[str]) -> None:
    expected = train_bpe(text, vocab_size=800, threads=1)
    shuffled = random.Random(1).sample(text, len(text))
    for threads in (2, 4):
        assert train_bpe(text, vocab_size=800, threads=threads) == expected
        assert train_bpe(shuffled, vocab_size=800, threads=threads) == expected
    counts = count_pretokens(shuffled[:7])
    counts.add(shuffled[7:], threads=3)
    assert learn_tokens(counts, vocab_size=800).tokens == expected


def test_a_document_bounds_pretokens() -> None:
    assert sorted(count_pretokens(["ab", "cd"]).items()) == [(b"ab", 1), (b"cd", 1)]
    assert sorted(count_pretokens(["abcd"]).items()) == [(b"abcd", 1)]


def test_weights_count_as_repetition(text: list[str]) -> None:
    counts = count_pretokens(text, weight=3)
    assert sorted(counts.items()) == sorted(count_pretokens(text * 3).items())


def test_counts_are_64_bit() -> None:
    counts = count_pretokens(["ab ab cd"], weight=2**40)
    assert dict(counts.items()) == {b"ab": 2**40, b" ab": 2**40, b" cd": 2**40}
    assert learn_tokens(counts, vocab_size=257, special_tokens=()).tokens[256] == b"ab"


def test_counts_that_64_bits_cannot_hold_are_refused() -> None:
    counts = count_pretokens(["abcd"], weight=2**61)
    with pytest.raises(NlpkitError, match=r"longer than 2\^63 bytes: count less of it"):
        learn_tokens(counts, vocab_size=257, special_tokens=())
    assert learn_tokens(count_pretokens(["abcd"], weight=2**60), vocab_size=257, special_tokens=()).tokens


def test_equal_to_the_reference_through_every_lowering_of_the_floor() -> None:
    """Counts over many orders of magnitude make the trainer collect pairs again and again."""
    choose = random.Random(5)
    words = {"".join(choose.choices("abcdefghij", k=choose.randint(2, 9))): 3**i for i in range(36)}
    counts = PretokenCounts()
    for word, count in words.items():
        counts.add([word], weight=count)
    expected = reference.train(words, n_merges=150)
    assert learn_tokens(counts, vocab_size=len(expected), special_tokens=()).tokens == expected


def test_no_merges_are_needed_for_the_smallest_vocabulary() -> None:
    assert len(train_bpe([], vocab_size=257)) == 256


def test_ids_past_16_bits() -> None:
    """From 65,534 symbols on the core works on wider symbols; its first merges are the same."""
    choose = random.Random(7)
    letters = [chr(0x4E00 + i) for i in range(300)]
    documents = ["".join(choose.choices(letters, k=60)) for _ in range(4000)]
    counts = count_pretokens(documents)
    wide = merge_all(counts, wanted=66_000)
    assert len(wide) == 66_000
    assert wide[:3000] == merge_all(counts, wanted=3000)


def short_tokens(words: list[str], longest: int) -> list[bytes]:
    """The reference's loop, looking at short pairs only."""
    tokens = reference.train({}, n_merges=0)
    sequences = [([tokens.index(letter.encode()) for letter in word], 1) for word in words]
    while True:
        pairs = {
            pair: count
            for pair, count in reference.count_pairs(sequences).items()
            if len(tokens[pair[0]] + tokens[pair[1]]) <= longest
        }
        if not pairs:
            return tokens
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        sequences = [(reference.merge(word, best, len(tokens)), 1) for word, _ in sequences]
        tokens.append(tokens[best[0]] + tokens[best[1]])


@settings(max_examples=50, deadline=None)
@given(
    words=st.lists(st.text(alphabet="abc", min_size=1, max_size=30), min_size=1, max_size=12),
    longest=st.integers(1, 6),
)
def test_short_tokens_are_the_best_of_their_length_and_all_can_be_reached(
    words: list[str], longest: int
) -> None:
    tokens = largest_vocabulary(words, MergeLimits(max_token_bytes=longest))
    assert tokens == short_tokens(words, longest)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    assert len(ranks) == len(tokens)
    for token, rank in ranks.items():
        assert reference.encode(token.decode("latin-1"), ranks, "(?s:.+)") == [rank] or token[0] > 127


def test_pruned_pretokens_are_not_learnt_from() -> None:
    counts = count_pretokens(["ab ab xy"])  # "ab", " ab", " xy"
    assert largest_vocabulary(["ab ab xy"])[256:] == [b"ab", b"xy", b" ab", b" xy"]
    counts.add(["ab"])
    limits = MergeLimits(prune_below=2)
    assert learn_tokens(counts, vocab_size=257, special_tokens=(), limits=limits).tokens[256:] == [b"ab"]
    with pytest.raises(NlpkitError, match="after 1 merges"):
        learn_tokens(counts, vocab_size=258, special_tokens=(), limits=limits)


def test_the_text_is_measured_in_the_new_tokens(text: list[str]) -> None:
    learnt = learn_tokens(count_pretokens(text), vocab_size=700, special_tokens=())
    ranks = {token: rank for rank, token in enumerate(learnt.tokens)}
    assert learnt.text_bytes == sum(len(document.encode()) for document in text)
    assert learnt.text_tokens == sum(len(reference.encode(d, ranks, PATTERNS["cl100k"])) for d in text)


def test_special_tokens_cut_the_text_and_are_not_learnt() -> None:
    counts = PretokenCounts(special_tokens=("<|a|>", "<|a|>b"))
    counts.add(["xy<|a|>bzz<|a|>", "<|a|>"])
    assert counts.items() == [(b"xy", 1), (b"zz", 1)]
    assert counts.documents == 2


def test_vocabulary_below_bytes_and_specials_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--vocab-size 257 .* need at least 258") as caught:
        train_bpe(["text"], vocab_size=257, special_tokens=("<a>", "<b>"))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("specials", "message"), [(("<a>", ""), "empty"), (("<a>", "<a>"), "'<a>' is given twice")]
)
def test_bad_special_tokens_are_refused(specials: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train_bpe(["text"], vocab_size=300, special_tokens=specials)


def test_more_merges_than_the_text_offers_names_the_largest_size() -> None:
    with pytest.raises(NlpkitError, match="--vocab-size 260 at most") as caught:
        train_bpe(["abcd"], vocab_size=1000)
    assert caught.value.exit_code == 1
    assert len(train_bpe(["abcd"], vocab_size=260)) == 259
    with pytest.raises(NlpkitError, match="pairs that occur 2 times after 0 merges"):
        train_bpe(["abcd"], vocab_size=1000, min_count=2)


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="--min-count 0"):
        train_bpe(["abcd"], vocab_size=258, min_count=0)
    with pytest.raises(UsageError, match="weight of 0"):
        PretokenCounts().add(["abcd"], weight=0)


def test_lone_surrogate_is_named_with_its_place() -> None:
    with pytest.raises(NlpkitError, match=r"document 2 holds the lone surrogate U\+D800 at character 19"):
        train_bpe(["fine", "abc<|endoftext|>abc\ud800", "abc"], vocab_size=258)


def test_pattern_that_drops_text_is_refused() -> None:
    with pytest.raises(NlpkitError, match="does not cover"):
        train_bpe(["ab1"], vocab_size=258, pattern="[a-z]+")


@pytest.mark.parametrize("phase", ["counting", "merging"])
def test_a_progress_callback_that_raises_stops_the_work(phase: str) -> None:
    choose = random.Random(9)
    documents = ["".join(choose.choices("abcdefghijklmnop ", k=2_000_000)) for _ in range(4)]

    def stop(name: str, done: int, total: int) -> None:
        if name == phase:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_bpe(documents, vocab_size=60_000, progress=stop)


def test_progress_tells_both_phases(text: list[str]) -> None:
    seen: list[tuple[str, int]] = []
    train_bpe(text, vocab_size=600, progress=lambda phase, done, total: seen.append((phase, done)))
    assert ("counting", sum(len(document.encode()) for document in text)) in seen


def data_documents(name: str, characters: int) -> list[str]:
    """The first documents of one of the real corpora."""
    folder = os.environ.get("NLPKIT_DATA")
    if not folder:
        pytest.skip("NLPKIT_DATA is not set: no real corpora")
    documents: list[str] = []
    with gzip.open(Path(folder) / "text" / "dev" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            documents.append(json.loads(line)["text"])
            if sum(map(len, documents)) > characters:
                break
    return documents


@pytest.mark.parametrize("name", ["english-large", "chinese", "code", "multilingual", "udhr"])
@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
def test_equal_to_hugging_face_on_real_text(name: str, pattern: str) -> None:
    documents = data_documents(name, 300_000)
    expected = hugging_face_tokens(documents, 3000, pattern)
    assert train_bpe(documents, vocab_size=len(expected), pattern=pattern, special_tokens=()) == expected


def test_equal_to_hugging_face_on_torture_text() -> None:
    folder = os.environ.get("NLPKIT_DATA")
    if not folder:
        pytest.skip("NLPKIT_DATA is not set: no real corpora")
    files = sorted((Path(folder) / "text" / "torture").rglob("*.txt"))
    documents = [file.read_text(encoding="utf-8", errors="replace")[:50_000] for file in files]
    expected = hugging_face_tokens(documents, 3000, "cl100k")
    assert train_bpe(documents, vocab_size=len(expected), special_tokens=()) == expected
