"""Split patterns: the regular expressions that cut text into pre-tokens, by name and by spelling.

A pattern is given by a name of `PATTERNS` or as a regex. The known ones have a scanner in the compiled core,
which `named_scheme` finds for any of their spellings in use; every other pattern runs through the `regex`
module (`split`), which is also the scanners' readable twin. See docs/pretokenization.md.
"""

import difflib
import itertools
import re
from collections.abc import Iterable
from functools import cache, lru_cache

import regex

from nlpkit.errors import NlpkitError, UsageError

# The alternatives of the patterns, each with its spellings; those of one tuple match the same text, because
# the alternatives leave them nothing to give back. The first spelling is the one that tiktoken 0.14 uses.
_CONTRACTIONS = (r"'(?:[sdmt]|ll|ve|re)", r"'s|'t|'re|'ve|'m|'ll|'d", r"(?:'s|'t|'re|'ve|'m|'ll|'d)")
_CONTRACTIONS_ANY_CASE = (r"'(?i:[sdmt]|ll|ve|re)", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)")
_SPACED_LETTERS = (r" ?\p{L}++", r" ?\p{L}+")
_SPACED_NUMBERS = (r" ?\p{N}++", r" ?\p{N}+")
_SPACED_OTHERS = (r" ?[^\s\p{L}\p{N}]++", r" ?[^\s\p{L}\p{N}]+")
_PREFIXED_LETTERS = tuple(
    rf"[^\r\n\p{{L}}\p{{N}}]{prefix}\p{{L}}{letters}" for prefix in ("?+", "?") for letters in ("++", "+")
)
_OTHERS_AND_NEWLINES = tuple(
    rf" ?[^\s\p{{L}}\p{{N}}]{others}[\r\n]{newlines}" for others in ("++", "+") for newlines in ("*+", "*")
)
_BLANKS_PLAIN = (r"\s++$|\s+(?!\S)|\s", r"\s+(?!\S)|\s+", r"\s+(?!\S)|\s")
_BLANKS_NEWLINE = tuple(
    rf"\s*[\r\n]{newlines}|\s+(?!\S)|\s{lone}" for newlines in ("+", "") for lone in ("+", "")
)
_BLANKS_WHOLE_AT_END = tuple(rf"\s++$|{blanks}" for blanks in reversed(_BLANKS_NEWLINE))
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED_WORDS = tuple(
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{suffix}?|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{suffix}?"
    for suffix in (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"(?:'(?i:[sdmt]|ll|ve|re))")
)
_OTHERS_NEWLINES_AND_SLASHES = (r" ?[^\s\p{L}\p{N}]+[\r\n/]*",)
_NUMBERS_BY_1 = (r"\p{N}", r"\p{N}{1}")
_NUMBERS_BY_2 = (r"\p{N}{1,2}", r"\p{N}{1,2}+")
_NUMBERS_BY_3 = (r"\p{N}{1,3}+", r"\p{N}{1,3}")


def _cl100k_kin(numbers: tuple[str, ...], blanks: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return (_CONTRACTIONS_ANY_CASE, _PREFIXED_LETTERS, numbers, _OTHERS_AND_NEWLINES, blanks)


_SCHEMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "gpt2": (_CONTRACTIONS, _SPACED_LETTERS, _SPACED_NUMBERS, _SPACED_OTHERS, _BLANKS_PLAIN),
    "cl100k": _cl100k_kin(_NUMBERS_BY_3, _BLANKS_WHOLE_AT_END),
    "o200k": (_CASED_WORDS, _NUMBERS_BY_3[::-1], _OTHERS_NEWLINES_AND_SLASHES, _BLANKS_NEWLINE),
    "llama3": _cl100k_kin(_NUMBERS_BY_3, _BLANKS_NEWLINE),
    "qwen2": _cl100k_kin(_NUMBERS_BY_1, _BLANKS_NEWLINE),
    "nanochat": _cl100k_kin(_NUMBERS_BY_2, _BLANKS_NEWLINE),
}


def _first_spelling(scheme: str) -> str:
    return "|".join(spellings[0] for spellings in _SCHEMES[scheme])


_FIRST_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

PATTERNS: dict[str, str] = {
    "gpt2": _first_spelling("gpt2"),
    "r50k": _first_spelling("gpt2"),
    "p50k": _first_spelling("gpt2"),
    "cl100k": _first_spelling("cl100k"),
    "o200k": _first_spelling("o200k"),
    "llama3": _FIRST_CL100K,
    "qwen2": _FIRST_CL100K.replace(r"\p{N}{1,3}", r"\p{N}"),
    "nanochat": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*"
        r"|\s*[\r\n]|\s+(?!\S)|\s+"
    ),
}
"""The known patterns as their owners spell them: gpt2, r50k, p50k, cl100k and o200k as tiktoken 0.14 does
(openai_public.py), llama3 and qwen2 as in those models' tokenizer.json, nanochat as in its tokenizer.py."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MULTILINE_FLAG = re.compile(r"\(\?[a-zA-Z]*m")
_SHOWN = 20  # characters of text or pattern quoted in an error


def pattern_string(name_or_regex: str) -> str:
    """The pattern of that name, or the regex itself once it is known to compile.

    What consists of ASCII letters, digits, `_` and `-` alone is a name (as a regex it could only match one
    fixed word); everything else is a regex.

    Raises:
        UsageError: no pattern has the name, or the regex is invalid.
    """
    if name_or_regex in PATTERNS:
        return PATTERNS[name_or_regex]
    if _NAME.fullmatch(name_or_regex):
        close = difflib.get_close_matches(name_or_regex.lower(), PATTERNS, n=3) or list(PATTERNS)
        raise UsageError(f"no split pattern is named {name_or_regex!r}: use {_or(close)}, or a regex.")
    if named_scheme(name_or_regex) is not None:
        return name_or_regex  # compiling it would take longer than reading the vocabulary
    try:
        regex.compile(name_or_regex, regex.V1)
    except regex.error as error:
        raise UsageError(_invalid_regex(name_or_regex, error)) from error
    return name_or_regex


def _or(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _invalid_regex(pat_str: str, error: regex.error) -> str:
    if error.pos is None:
        return f"the split pattern {pat_str!r} is not a valid regex ({error.msg}): mend it."
    rest = pat_str[error.pos : error.pos + _SHOWN]
    place = f"before {rest!r}" if rest else "at its end"
    return f"the split pattern is not a valid regex ({error.msg}): mend it at position {error.pos}, {place}."


def named_scheme(pat_str: str) -> str | None:
    """The scanner of the core that splits as `pat_str` does, or None when there is none.

    It knows tiktoken's possessive spellings, the original ones (GPT-2, cl100k before possessive quantifiers,
    Llama 3, Qwen 2, nanochat) and any mixture of their alternatives' spellings; line ends may stand in it as
    characters. Note that cl100k as tiktoken
    spells it today (with `\\s++$`) and its first spelling differ on text that ends in white space with a
    newline in it: the first is scheme cl100k, the second llama3.
    """
    return _spellings().get(pat_str.replace("\r", r"\r").replace("\n", r"\n"))


@cache
def _spellings() -> dict[str, str]:
    return {
        "|".join(alternatives): scheme
        for scheme, parts in _SCHEMES.items()
        for alternatives in itertools.product(*parts)
    }


def split(text: str, pat_str: str) -> list[str]:
    """The pre-tokens of `text` for any pattern (a name of `PATTERNS` or a regex), by the `regex` module.

    Equal to tiktoken's engine on the characters that both know: `regex` has a newer Unicode than tiktoken's
    16.0, so characters assigned since are letters or numbers here and not there.

    Raises:
        UsageError: the pattern is not a valid regex.
        NlpkitError: the pattern leaves a part of the text uncovered (tiktoken drops such text silently).
    """
    pieces = []
    position = 0
    for match in _compile(pat_str).finditer(text):
        start, end = match.span()
        if start != position or (start == end < len(text)):
            break
        if end > start:
            pieces.append(match[0])
            position = end
    if position < len(text):
        shown = text[position : position + _SHOWN]
        raise NlpkitError(
            f"the split pattern does not cover the text from character {position} on ({shown!r}): "
            "add an alternative that matches it, such as |(?s:.)"
        )
    return pieces


@lru_cache(maxsize=64)
def _compile(pat_str: str) -> "regex.Pattern[str]":
    """Compile so that `regex` reads the pattern as tiktoken's engine does.

    V1 gives nested character classes and scoped inline flags; (?-f) turns off full case folding, where
    (?i:ss) matches ß; and `$` is the very end of the text, not the place before a final newline.
    """
    source = pattern_string(pat_str)
    if not _MULTILINE_FLAG.search(source):
        source = _dollar_to_end(source)
    return regex.compile("(?-f)" + source, regex.V1)


def _dollar_to_end(pat_str: str) -> str:
    """Spell `$` outside character classes and escapes as `\\Z`."""
    result = []
    depth = 0  # of nested character classes
    for token in re.findall(r"\\.|\[\^?\]?|.", pat_str, flags=re.DOTALL):
        depth += token.startswith("[") - (token == "]" and depth > 0)
        result.append(r"\Z" if token == "$" and depth == 0 else token)
    return "".join(result)
