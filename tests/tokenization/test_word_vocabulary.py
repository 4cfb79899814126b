"""`WordVocabulary`: units, counts, and files."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit._core import WordCounts
from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.tokenization import Vocabulary, WordVocabulary, load_vocabulary

TEXTS = ["the cat saw the dog", "the dog saw the Cat\nand left"]


def train(texts: list[str] = TEXTS, **options: object) -> WordVocabulary:
    return WordVocabulary.train(texts, **({"min_count": 1} | options))  # type: ignore[arg-type]


def test_words_are_numbered_by_falling_count_then_alphabet() -> None:
    vocabulary = train()
    assert vocabulary.tokens == ["<unk>", "<eos>", "the", "dog", "saw", "Cat", "and", "cat", "left"]
    assert vocabulary.counts.tolist() == [0, 2, 4, 2, 2, 1, 1, 1, 1]
    assert vocabulary.n_vocab == 9


def test_rare_words_become_unknown_and_are_counted_so() -> None:
    vocabulary = train(min_count=2)
    assert vocabulary.tokens == ["<unk>", "<eos>", "the", "dog", "saw"]
    assert vocabulary.counts.tolist() == [4, 2, 4, 2, 2]
    assert vocabulary.encode_ordinary("the bird saw") == [2, 0, 4]
    assert vocabulary.decode([2, 0, 4]) == "the <unk> saw"


def test_a_corpus_may_write_unknown_and_end_itself() -> None:
    vocabulary = train(["a <unk> b <eos> a <unk>"], min_count=2)
    assert vocabulary.tokens == ["<unk>", "<eos>", "a"]
    assert vocabulary.counts.tolist() == [3, 2, 2]
    assert vocabulary.encode_ordinary("<unk> <eos>") == [0, 1]


def test_lower_case_joins_words() -> None:
    vocabulary = train(lowercase=True)
    assert vocabulary.counts[vocabulary.encode_single_token("cat")] == 2
    assert vocabulary.encode_ordinary("CAT The") == vocabulary.encode_ordinary("cat the")


def test_max_size_keeps_the_most_frequent() -> None:
    assert train(max_size=4).tokens == ["<unk>", "<eos>", "the", "dog"]


@pytest.mark.parametrize("unit", ["pretoken", "character"])
@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=40))
def test_pretokens_and_characters_keep_the_text(unit: str, text: str) -> None:
    vocabulary = train([text, "x"], unit=unit)
    assert vocabulary.decode(vocabulary.encode_ordinary(text)) == text


def test_pretokens_follow_the_pattern() -> None:
    assert "'m" in train(["I'm"], unit="pretoken").tokens
    assert "I'm" in train(["I'm"], unit="pretoken", pattern=r"\S+|\s+").tokens


def test_documents_end_with_eos() -> None:
    vocabulary = train()
    ragged = vocabulary.encode_documents(["the dog", ""], document_end=True)
    assert [ids.tolist() for ids in ragged] == [[2, 3, 1], [1]]
    assert vocabulary.document_end == 1


def test_unknown_and_end_are_special_and_no_other_unit_is() -> None:
    vocabulary = WordVocabulary.train(["a b a"], min_count=1)
    assert [vocabulary.is_special_token(token) for token in range(vocabulary.n_vocab)] == [
        True,
        True,
        False,
        False,
    ]


def test_lone_surrogates_are_replaced() -> None:
    assert "a\ufffd" in train(["a\ud800"]).tokens


def test_it_is_a_vocabulary() -> None:
    assert isinstance(train(), Vocabulary)


@pytest.mark.parametrize("token", [-1, 9, 10**12])
def test_an_unknown_id_is_a_key_error_that_names_it(token: int) -> None:
    with pytest.raises(KeyError, match=str(token)):
        train().decode([token])
    with pytest.raises(KeyError, match=str(token)):
        train().decode_single_token_bytes(token)


def test_a_corpus_without_frequent_words_says_what_to_do() -> None:
    with pytest.raises(NlpkitError, match=r"no word comes 5 times or more .*--min-count"):
        WordVocabulary.train(TEXTS)


def test_unknown_units_and_patterns_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="'syllable'"):
        train(unit="syllable")
    with pytest.raises(UsageError, match="cl100k"):
        train(unit="pretoken", pattern="cl100")


# ====================
# Files
# ====================


@pytest.mark.parametrize("unit", ["word", "pretoken", "character"])
def test_a_saved_vocabulary_loads_the_same(unit: str, tmp_path: Path) -> None:
    vocabulary = train(
        ["a\nb\r\n \u2028\u0085\x00 中"], unit=unit, lowercase=True, pattern="o200k", name="mine"
    )
    vocabulary.save(tmp_path / "v")
    loaded = load_vocabulary(tmp_path / "v")
    assert isinstance(loaded, WordVocabulary)
    assert loaded.tokens == vocabulary.tokens
    assert loaded.counts.tolist() == vocabulary.counts.tolist()
    assert (loaded.name, loaded.unit, loaded.lowercase) == ("mine", unit, True)
    assert loaded.fingerprint == vocabulary.fingerprint


def test_the_fingerprint_follows_all_that_decides_the_ids() -> None:
    prints = [
        vocabulary.fingerprint
        for vocabulary in (
            train(), train(min_count=2), train(lowercase=True), train(unit="character"),
            train(unit="pretoken"), train(unit="pretoken", pattern="gpt2"),
        )
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert train(pattern="gpt2").fingerprint == train().fingerprint  # words do not use the pattern


@pytest.mark.parametrize("damage", ["truncate", "swap", "description"])
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    train().save(tmp_path)
    words = tmp_path / "words.jsonl"
    if damage == "truncate":
        words.write_bytes(words.read_bytes()[:-5])
    elif damage == "swap":
        words.write_bytes(words.read_bytes().replace(b"dog", b"god"))
    else:
        path = tmp_path / "nlpkit.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"lowercase": True}))
    with pytest.raises(CorruptFileError, match="checksum" if damage != "description" else "fingerprint"):
        load_vocabulary(tmp_path)


# ----- words in the core -----

WHITE = "".join(c for c in map(chr, range(0x110000)) if c.isspace())


def test_words_are_those_of_str_split() -> None:
    """Every character alone between two words: the core splits where `str.split` does, and nowhere else."""
    text = "".join(f"a{chr(code)}b " for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    counts = WordCounts()
    counts.add([text, WHITE, "", f"{WHITE}x{WHITE}"], 2)
    assert dict(counts.items()) == Counter([*text.split(), "x"])


@given(
    st.lists(
        st.text(st.sampled_from([*WHITE, *"abC\u00c2\u2009\u3001\udc80\U0001f600"]), max_size=20), max_size=8
    )
)
@settings(max_examples=60, deadline=None)
def test_words_are_counted_and_encoded_as_one_by_one(texts: list[str]) -> None:
    documents = [*texts, "a b", "\udc80 a"]
    vocabulary = WordVocabulary.train(documents, min_count=1, lowercase=True, threads=3)
    clean = [t.encode("utf-16", "surrogatepass").decode("utf-16", "replace").lower() for t in documents]
    expected = Counter(word for text in clean for word in text.split())
    assert dict(zip(vocabulary.tokens[2:], vocabulary.counts[2:].tolist(), strict=True)) == expected
    encoded = vocabulary.encode_documents(documents, document_end=True, threads=2)
    for i, text in enumerate(documents):
        ids = encoded.ids[int(encoded.offsets[i]) : int(encoded.offsets[i + 1])].tolist()
        assert ids == [*vocabulary.encode_ordinary(text), 1]


def test_many_different_words() -> None:
    """Enough for the table to grow many times, on several threads and in several batches."""
    documents = [" ".join(f"w{i * j % 50_000}" for j in range(5_000)) for i in range(60)]
    vocabulary = WordVocabulary.train(documents, min_count=1, threads=4)
    expected = Counter(word for text in documents for word in text.split())
    assert dict(zip(vocabulary.tokens[2:], vocabulary.counts[2:].tolist(), strict=True)) == expected
    ids = vocabulary.encode_documents(documents, threads=4).ids
    assert ids.tolist() == [id for text in documents for id in vocabulary.encode_ordinary(text)]
