"""The self-check of a conversion: the same texts through both sides, and the first difference.

The texts are made from a seed: fragments that split patterns treat each in their own way, characters of many
scripts and special tokens, in every order, and every token of the vocabulary.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest

from nlpkit.errors import NlpkitError
from nlpkit.tokenization.formats.definition import BpeDefinition

Encode = Callable[[str], list[int]]

FUZZ_TEXTS = 2000
"""How many texts a conversion is checked with: some 100 kB beside the vocabulary itself."""

_FRAGMENTS = (
    "hello", " world", "The", " the", "HELLO", "Hello", "I'm", "we'LL", "it's", "'S", "x'ſ", "'", "’t",
    "don’t", "1", "12", "1234567", " 42", "٣٤٥٦", "²³", "½", "Ⅷ", " ", "  ", "   ", "\t", "\n",
    "\r\n", "\n\n\n", " \n", "\n ", "\r", "\x0b", "\x0c", "\x85", "\u00a0", "\u2028", "\u3000", "\u200b",
    "\u200d", "\ufeff", "\u180e", "\x00", "\x1c", "\x7f", "!", "!!!", "...\n\n", "//", "/\n", "_",
    "__init__", "a_b", "-", "--", "$", "^", "<|", "|>", "中文", "标记化", "日本語の", "한국어",
    "русский", "Ελληνικά", "العربية", "हिन्दी", "ไทย", "ǅ", "ß",
    "ﬁ", "İı", "K", "a\u0301", "e\u0301e", "\u0301", "🎉", "👩\u200d👧", "𝒳𝓎", "aaaa",
    "^^^^", "    x", "a  b", "x   ",
)  # fmt: skip

# Characters in blocks of many scripts, all assigned long before the Unicode that any engine here knows.
_BLOCKS = (
    (0x20, 0x7F), (0xA0, 0x180), (0x391, 0x3A2), (0x410, 0x450), (0x5D0, 0x5EB), (0x621, 0x64B),
    (0x904, 0x93A), (0xE01, 0xE3B), (0x2010, 0x2028), (0x20A0, 0x20B0), (0x2190, 0x2200), (0x3041, 0x3097),
    (0x4E00, 0x9FA0), (0xAC00, 0xD7A4), (0x10400, 0x10450), (0x1F300, 0x1F320),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """A text that two encoders turn into different ids."""

    text: str
    ours: list[int]
    theirs: list[int]

    @property
    def position(self) -> int:
        """The index of the first id that differs."""
        pairs = enumerate(zip_longest(self.ours, self.theirs))
        return next(i for i, (one, other) in pairs if one != other)

    def sentence(self) -> str:
        """The text, the ids of both sides and the place."""
        at = self.position
        there = f"{_show(self.theirs, at)} there, from token {at} on."
        return f"{self.text!r} gives {_show(self.ours, at)} here and {there}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """That so many texts have equal ids here and with the library named."""

    peer: str
    texts: int


def fuzz_texts(definition: BpeDefinition, *, count: int = FUZZ_TEXTS, seed: int = 1) -> Iterator[str]:
    """Texts to compare encoders of a vocabulary with; the same for the same seed.

    Each begins with a jumble and ends with its share of the vocabulary, a token a line, so that every token
    comes up.
    """
    generator = random.Random(seed)
    tokens = [text for token in sorted(definition.mergeable_ranks) if (text := _text_of(token))]
    generator.shuffle(tokens)
    fragments = [*_FRAGMENTS, *tokens[:256]]
    specials = list(definition.special_tokens)
    for place in range(count):
        parts = []
        for _ in range(generator.randrange(1, 12)):
            kind = generator.random()
            if kind < 0.1 and specials:
                parts.append(generator.choice(specials))
            elif kind < 0.75:
                parts.append(generator.choice(fragments))
            else:
                begin, end = generator.choice(_BLOCKS)
                parts.append(chr(generator.randrange(begin, end)))
        yield "\n".join(["".join(parts), *tokens[place::count]])


def _text_of(token: bytes) -> str:
    """The characters that are whole in a token."""
    return token.decode("utf-8", "ignore")


def first_difference(ours: Encode, theirs: Encode, texts: Iterable[str]) -> tuple[Difference | None, int]:
    """The first text with different ids, if any, and how many texts were compared.

    Texts that `ours` refuses, because the split pattern leaves a part of them uncovered, are passed over.

    Raises:
        NlpkitError: the other side fails on a text.
    """
    compared = 0
    for text in texts:
        try:
            expected = ours(text)
        except NlpkitError:
            continue
        compared += 1
        got = _ask(theirs, text)
        if got != expected:
            return Difference(text, expected, got), compared
    return None, compared


def _ask(theirs: Encode, text: str) -> list[int]:
    """The other side's ids; its failures, also panics of Rust, which are no `Exception`, as one sentence."""
    try:
        return theirs(text)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise NlpkitError(f"the other side fails on the text {text!r} ({error}).") from error


def shorten(difference: Difference, ours: Encode, theirs: Encode) -> Difference:
    """A difference in as little of the text as can be had by leaving out stretches of it."""
    size = len(difference.text) // 2
    while size:
        text = difference.text
        for begin in range(0, len(text), size):
            shorter, _ = first_difference(ours, theirs, [text[:begin] + text[begin + size :]])
            if shorter is not None:
                difference = shorter
                break
        else:
            size //= 2
    return difference


@dataclass(frozen=True, slots=True)
class Check:
    """What a conversion is checked with: text to ids, special tokens allowed, and texts of the caller's."""

    encode: Encode
    texts: Iterable[str] = ()

    def require(self, definition: BpeDefinition, theirs: Encode, *, peer: str, what: str) -> Agreement:
        """Encode the made-up texts and the caller's on both sides.

        Args:
            definition: the vocabulary.
            theirs: text to ids of the other side.
            peer: the other side's library and version.
            what: what was converted, for the message.

        Raises:
            NlpkitError: some text has different ids; shows the text, the place and the ids of both.
        """
        texts = chain(fuzz_texts(definition), self.texts)
        difference, compared = first_difference(self.encode, theirs, texts)
        if difference is not None:
            shortest = shorten(difference, self.encode, theirs)
            raise NlpkitError(f"{what} does not agree with {peer}: {shortest.sentence()}")
        return Agreement(peer, compared)


def _show(ids: list[int], at: int) -> str:
    """The ids around the first that differs."""
    begin, end = max(0, at - 2), at + 6
    return f"[{'…, ' if begin else ''}{', '.join(map(str, ids[begin:end]))}{', …' if end < len(ids) else ''}]"
