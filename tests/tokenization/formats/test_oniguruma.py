"""Split patterns go to Oniguruma's dialect and back with the same pieces, or are refused by name."""

import random
from collections.abc import Callable

import pytest
from tokenizers import Regex, pre_tokenizers

from nlpkit.errors import NlpkitError
from nlpkit.tokenization.formats.agreement import _FRAGMENTS
from nlpkit.tokenization.formats.oniguruma import covering, from_oniguruma, to_oniguruma
from nlpkit.tokenization.patterns import PATTERNS, split

CUSTOM = [
    r"\p{N}{1,3}+|\p{L}{2}+|(?s:.)",
    r"(?:ab|\p{N}){2,3}+|[a-z&&[^b]]+|(?s:.)",
    r"[\w'-]+|\W",
    r"\s++$|^\p{Lu}\p{Ll}+|(?s:.)",
    r"[$^]+|a$|(?s:.)",
    r"(?i)hello|the|(?s:.)",
    r"(?i:it's|we)|\pL+|(?s:.)",
    r"\p{Script=Han}+|\p{sc=Cyrillic}+|\p{gc=N}|\P{Latin}|(?s:.)",
    r"(?<=a)b+?|(?<!x)y|(?>\d+)|.+?|\n",
    r"[^\S\r\n]+|\r?\n|\S+?(?=\s|\z)",
    r"\x41|\U00004e2d|\u6587|\t|[\x00-\x1f]+|(?s:.)",
    r"(?is:hello.)(?-i:A)?|(?s:.)",
    r"(?:a{2}|b{1,}|c{,2}d)|(?s:.)",
]


def isolated(pattern: str, text: str) -> list[str]:
    """The pieces that Hugging Face's Split makes."""
    splitter = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return [piece for piece, _ in splitter.pre_tokenize_str(text)]


@pytest.mark.parametrize("pattern", [*PATTERNS.values(), *CUSTOM])
def test_the_pieces_stay_the_same(pattern: str, random_text: Callable[[random.Random], str]) -> None:
    translated = to_oniguruma(pattern)
    back = from_oniguruma(translated)
    generator = random.Random(5)
    for _ in range(200):
        text = random_text(generator) + generator.choice(
            ["", " \n", "\n \n", "ab12", "It's Abba abc $^ 中文"]
        )
        pieces = split(text, pattern)
        assert isolated(translated, text) == pieces, translated
        assert split(text, back) == pieces, back


@pytest.mark.parametrize("name", PATTERNS)
def test_known_patterns_are_known_again(name: str) -> None:
    assert from_oniguruma(to_oniguruma(PATTERNS[name])) == PATTERNS[name]


ATOMS = [
    "a", "b", " ", "'", ".", "$", "^", r"\$", r"\p{L}", r"\P{L}", r"\p{^L}", r"\p{N}", r"\p{Lu}", r"\p{Han}",
    r"\s", r"\S", r"\d", r"\n", r"\x41", r"\u4e2d", "[a-z]", "[^a-z]", r"[\p{L}&&[^a]]", r"[^\s\p{L}]",
    r"[\^a]", r"[a\]$]", "(?i:the)", "(?i:'s|'ll)", "(?:ab|c)", "(a|b)", "(?=a)", "(?!b)", "(?<=a)",
    r"(?<!\s)", "(?>a+|b)",
]  # fmt: skip
QUANTIFIERS = [
    "", "", "", "*", "+", "?", "*?", "+?", "*+", "++", "?+", "{2}", "{1,3}", "{1,3}+", "{2}+", "{1,}",
    "{1,2}?", "{,2}",
]  # fmt: skip


def test_random_patterns_split_alike_in_both_dialects() -> None:
    generator = random.Random(11)
    compared = 0
    for _ in range(400):
        parts = [
            generator.choice(ATOMS) + generator.choice(QUANTIFIERS) for _ in range(generator.randrange(1, 4))
        ]
        joined = generator.choice(["", "|"]).join(parts)
        for ours, theirs in (
            (f"{joined}|(?s:.)", to_oniguruma(f"{joined}|(?s:.)")),
            (from_oniguruma(f"{joined}|(?m:.)"), f"{joined}|(?m:.)"),
        ):
            try:
                splitter = pre_tokenizers.Split(Regex(theirs), behavior="isolated")
                text = "".join(generator.choices(_FRAGMENTS, k=5))
                pieces = split(text, ours)
            except Exception:  # not a valid pattern there or here, or one that matches nothing
                continue
            assert [piece for piece, _ in splitter.pre_tokenize_str(text)] == pieces, (ours, theirs, text)
            compared += 1
    assert compared > 300


def test_counted_repetitions_are_not_possessive_there() -> None:
    assert isolated(r"\p{N}{1,3}+", "1234567") == ["1234567"]
    assert isolated(to_oniguruma(r"\p{N}{1,3}+|(?s:.)"), "1234567") == ["123", "456", "7"]
    assert split("1234567", from_oniguruma(r"\p{N}{1,3}+")) == ["1234567"]


@pytest.mark.parametrize(
    ("pattern", "construct"),
    [
        (r"\bword\b|(?s:.)", r"the escape \\b"),
        (r"\h+|(?s:.)", r"the escape \\h"),
        (r"\X|(?s:.)", r"the escape \\X"),
        (r"(?<name>a)|(?s:.)", r"the group \(\?<"),
        (r"(?x: a )|(?s:.)", "the flag 'x'"),
        (r"(?m:^a)|(?s:.)", "the flag 'm'"),
        (r"a(?i)b|(?s:.)", r"the flags \(\?i\) inside"),
        (r"[[:alpha:]]|(?s:.)", r"\[: in a character class"),
        (r"[a-z--[b]]|(?s:.)", "-- in a character class"),
        (r"a{2}?|(?s:.)", r"the quantifier \{2\}\?"),
        (r"a{,}|(?s:.)", r"the quantifier \{,\}"),
        (r"\p{scx=Han}|(?s:.)", "the property"),
        (r"[]a]|(?s:.)", "the unescaped ]"),
        (r"(a)\1|(?s:.)", r"the escape \\1"),
        (r"(?R)?a|(?s:.)", r"the flag 'R'|the flags|the group"),
    ],
)
def test_what_means_something_else_there_is_refused_by_name(pattern: str, construct: str) -> None:
    with pytest.raises(NlpkitError, match=rf"{construct}.* Oniguruma reads"):
        to_oniguruma(pattern)


@pytest.mark.parametrize(
    ("pattern", "construct"),
    [
        (r"a\Z", r"the escape \\Z"),
        (r"\pL+", "without braces"),
        (r"(?s:a)", "the flag 's'"),
        (r"a$|b\z", r"\\z beside the ends of lines"),
        (r"[a", "an end inside a character class"),
        (r"a)", r"a \) too many"),
        (r"\w+", r"the escape \\w"),
        (r"[^\W]", r"the escape \\W"),
    ],
)
def test_what_nlpkit_reads_otherwise_is_refused_by_name(pattern: str, construct: str) -> None:
    with pytest.raises(NlpkitError, match=rf"{construct}.* nlpkit reads"):
        from_oniguruma(pattern)


def test_code_points_are_spelled_as_each_dialect_has_them() -> None:
    assert to_oniguruma(r"\U0001F389|(?s:.)") == r"\x{0001F389}|(?m:.)"
    assert split("🎉a", from_oniguruma(r"\x{1F389}|(?m:.)")) == ["🎉", "a"]


def test_text_between_matches_becomes_pieces() -> None:
    pattern = covering("[a-z]+")
    assert split("ab12 cd!", pattern) == isolated("[a-z]+", "ab12 cd!") == ["ab", "12 ", "cd", "!"]
    assert covering(pattern) == pattern
    assert covering(PATTERNS["gpt2"]) == PATTERNS["gpt2"]
