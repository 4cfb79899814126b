"""Names, spellings and the any-regex path of split patterns."""

import itertools
import random

import pytest
import regex
import tiktoken

from nlpkit import _core
from nlpkit.errors import NlpkitError, UsageError
from nlpkit.tokenization import patterns
from nlpkit.tokenization.patterns import PATTERNS, named_scheme, pattern_string, split
from tiktoken_ext import openai_public

SCHEME_OF = {name: name for name in PATTERNS} | {"r50k": "gpt2", "p50k": "gpt2"}

# Spellings met in the wild, written out.
FOUND_SPELLINGS = {
    # openai/gpt-2, src/encoder.py
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    # tiktoken 0.5
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    # minbpe, rustbpe and tiktoken 0.7: cl100k before \s++$ came
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
    r"|\s+(?!\S)|\s+": "llama3",
    # tiktoken 0.3 and meta-llama/Meta-Llama-3-8B, tokenizer.json
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "llama3",
    # Xenova/gpt-4o and openai/gpt-oss-20b, tokenizer.json
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+": "o200k",
    # GSAI-ML/LLaDA-8B and inclusionAI/Ling, tokenizer.json
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
    r"|\s+(?!\S)|\s+": "qwen2",
    # karpathy/nanochat, nanochat/tokenizer.py
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
    r"|\s+(?!\S)|\s+": "nanochat",
    # Qwen/Qwen2-7B, Qwen2.5 and Qwen3, tokenizer.json
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
}


CAPITALISED = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
WITHOUT_SCANNER = {
    # mistralai/Mistral-Nemo, tekken.json
    "tekken": r"[^\r\n\p{L}\p{N}]?%s*%s+|[^\r\n\p{L}\p{N}]?%s+%s*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+" % (CAPITALISED * 2),
    # moonshotai/Kimi-K2, tokenization_kimi.py
    "kimi": r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?%s*%s+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?%s+%s*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    % (tuple(part[:-1] + r"&&[^\p{Han}]]" for part in CAPITALISED) * 2),
    # Qwen/Qwen3.5, tokenizer.json: words with their marks
    "qwen3.5": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+"
    r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    # llama.cpp's Llama 3, which has no ſ among its contractions
    "llama.cpp": r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}


def scanned(scheme: str, text: str) -> list[str]:
    data = text.encode()
    ends = _core.pretokenize(scheme, text).tolist()
    return [data[start:end].decode() for start, end in itertools.pairwise([0, *ends])]


def tiktoken_pieces(text: str, pat_str: str) -> list[str]:
    """tiktoken's pieces: with a vocabulary of all parts of the text, each piece has one id."""
    data = text.encode()
    ranks = {bytes([byte]): byte for byte in range(256)}
    for start, end in itertools.combinations(range(len(data) + 1), 2):
        ranks.setdefault(data[start:end], len(ranks))
    encoding = tiktoken.Encoding("any", pat_str=pat_str, mergeable_ranks=ranks, special_tokens={})
    return [
        encoding.decode_single_token_bytes(token).decode(errors="replace")
        for token in encoding.encode_ordinary(text)
    ]


def sample_texts(count: int) -> list[str]:
    alphabet = [*"aBsSldvre1'!/ \t\r\n", "中", "ǅ", "ʰ", "\u0301", "²", "\u00a0", "ſ"]
    rng = random.Random(2)
    return ["".join(rng.choices(alphabet, k=rng.randint(1, 12))) for _ in range(count)]


def test_patterns_are_spelled_as_in_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
    monkeypatch.setattr(openai_public, "data_gym_to_mergeable_bpe_ranks", lambda *_, **__: {})
    for name in ("gpt2", "r50k", "p50k", "cl100k", "o200k"):
        constructor = openai_public.ENCODING_CONSTRUCTORS[name if name == "gpt2" else f"{name}_base"]
        assert constructor()["pat_str"] == PATTERNS[name]


@pytest.mark.parametrize(("name", "scheme"), SCHEME_OF.items())
def test_named_patterns_have_their_scanner(name: str, scheme: str) -> None:
    assert named_scheme(PATTERNS[name]) == scheme


@pytest.mark.parametrize(("pat_str", "scheme"), FOUND_SPELLINGS.items())
def test_other_spellings_are_recognised(pat_str: str, scheme: str) -> None:
    assert named_scheme(pat_str) == scheme


def test_line_ends_may_stand_in_a_pattern_as_they_are() -> None:
    assert named_scheme(PATTERNS["llama3"].replace(r"\r\n", "\r\n")) == "llama3"


@pytest.mark.parametrize("name", WITHOUT_SCANNER)
def test_other_models_patterns_split_as_in_tiktoken(name: str) -> None:
    pat_str = WITHOUT_SCANNER[name]
    assert named_scheme(pat_str) is None
    for text in sample_texts(200):
        assert split(text, pat_str) == tiktoken_pieces(text, pat_str)


def test_unknown_patterns_have_no_scanner() -> None:
    assert named_scheme(r"\S+|\s+") is None
    assert named_scheme(PATTERNS["cl100k"] + "|.") is None


@pytest.mark.parametrize("scheme", patterns._SCHEMES)
def test_every_spelling_of_an_alternative_splits_as_the_scanner(scheme: str) -> None:
    parts = patterns._SCHEMES[scheme]
    texts = sample_texts(1500)
    expected = [scanned(scheme, text) for text in texts]
    for position, spellings in enumerate(parts):
        for spelling in spellings:
            chosen = [part[0] for part in parts]
            chosen[position] = spelling
            compiled = regex.compile("|".join(chosen))
            for text, pieces in zip(texts, expected, strict=True):
                assert [match[0] for match in compiled.finditer(text)] == pieces, spelling


@pytest.mark.parametrize(("name", "scheme"), SCHEME_OF.items())
def test_split_equals_the_scanner(name: str, scheme: str) -> None:
    for text in sample_texts(1500):
        assert split(text, PATTERNS[name]) == scanned(scheme, text)


@pytest.mark.parametrize(
    ("pat_str", "text"),
    [
        (r"(?i:ss)|(?s:.)", "ßssSSſs"),  # simple case folding, as in Rust
        (r"\s+$|\S+|\s", "a b\n"),  # $ is the very end
        (r"\S+$|(?s:.)", "ab\n"),
        (r"[$a]+|[^$a]+", "a$b"),
        (r"[a-z&&[^aeiou]]+|(?s:.)", "street"),  # classes can be intersected
        (r"[]$]+|[^]]+?|x$", "$x$]x"),
        (r"\$|\w+|\s", "$a b"),
        (r"(?m:^\w+$)|(?s:.)", "ab\ncd"),
        (r"\w+|\s+|", "ab cd"),  # may match nothing at the end
    ],
)
def test_split_reads_a_regex_as_tiktoken_does(pat_str: str, text: str) -> None:
    assert split(text, pat_str) == tiktoken_pieces(text, pat_str.removesuffix("|"))


@pytest.mark.parametrize(
    ("pat_str", "text", "shown"),
    [
        (r"[a-z]+", "ab12cd", "character 2 on ('12cd')"),
        (r"\w+", "a b", "character 1 on (' b')"),
        (r"x*", "ab", "character 0 on ('ab')"),  # matches, but nothing
        (r"\S+", "a ", "character 1 on (' ')"),
    ],
)
def test_text_left_uncovered_is_refused_and_shown(pat_str: str, text: str, shown: str) -> None:
    with pytest.raises(NlpkitError) as caught:
        split(text, pat_str)
    assert shown in str(caught.value)
    assert caught.value.exit_code == 1


def test_empty_text_splits_into_nothing() -> None:
    assert split("", "cl100k") == []


def test_a_name_gives_its_pattern_and_a_regex_itself() -> None:
    assert pattern_string("o200k") == PATTERNS["o200k"]
    assert pattern_string(r"\S+|\s+") == r"\S+|\s+"


def test_unknown_name_lists_the_closest() -> None:
    with pytest.raises(
        UsageError, match="no split pattern is named 'cl100k_base': use cl100k, or a regex"
    ) as caught:
        pattern_string("cl100k_base")
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match="use gpt2, r50k, p50k, cl100k, o200k, llama3, qwen2 or nanochat"):
        pattern_string("zzzzzz")
    with pytest.raises(UsageError, match="use o200k, or a regex"):
        pattern_string("O200K")


@pytest.mark.parametrize(
    ("pat_str", "message"),
    [
        (r"\w+|*a", "mend it at position 4, before '*a'"),
        (r"\w+|(a", "missing .* mend it at position 6, at its end"),
        (r"\p{Foo}", "unknown property"),
    ],
)
def test_invalid_regex_is_refused_with_its_position(pat_str: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("*a", r"\*a")) as caught:
        pattern_string(pat_str)
    assert caught.value.exit_code == 2
