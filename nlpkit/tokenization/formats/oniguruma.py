r"""Split patterns in Oniguruma's dialect, which Hugging Face's tokenizer.json is written in, and back.

The same characters mean different things there (Ruby's syntax):

- `{1,3}+` repeats `{1,3}` and is not possessive: `\p{N}{1,3}+` takes all of "1234567";
- `$` and `^` are the ends of a line, `\z` is that of the text; `\Z` stands before a final newline;
- `(?m:.)` is what is `(?s:.)` elsewhere; `\pL` is the letters "pL"; `\p{Script=Han}` is `\p{Han}`;
- `\w` is another set of characters, and yet another one in a class; `\b` goes by it;
- `--`, `~~` and `||` in a character class are no operators.

What can be spelled in the other dialect is; the rest is refused by name, rather than to split text otherwise.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from nlpkit.errors import NlpkitError
from nlpkit.tokenization import patterns

_HEX = "[0-9A-Fa-f]"
_CODE_POINT = rf"\\x\{{{_HEX}+\}} | \\x{_HEX}{{2}} | \\u{_HEX}{{4}} | \\U{_HEX}{{8}}"
_ESCAPE = rf"\\[pP]\{{[^}}]*\}} | \\[pP]. | {_CODE_POINT} | \\."
_GROUP = r"\(\?<?[=!] | \(\?[>:] | \(\?[A-Za-z-]*[:)] | \(\?.?"
_QUANTIFIER = r"\{\d*,?\d*\}[+?]? | [*+?][+?]?"
_OUTSIDE = re.compile(rf"{_ESCAPE} | {_GROUP} | \[\^? | {_QUANTIFIER} | .", re.DOTALL | re.VERBOSE)
_INSIDE = re.compile(rf"{_ESCAPE} | \[: | \[\^? | -- | ~~ | \|\| | .", re.DOTALL | re.VERBOSE)
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?)(?:(\w+)=)?([^}=]+)\}|(.))")
_SCRIPT_KEYS = ("script", "sc", "generalcategory", "general_category", "gc")
_SAME_ESCAPES = frozenset("dDsSAnrtfv")

_FIRST_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = patterns.PATTERNS["llama3"]

_FIRST_SPELLINGS = {
    "gpt2": _FIRST_GPT2,
    "cl100k": _LLAMA3.replace(r"|\s*", r"|\s++\z|\s*"),
    "o200k": patterns.PATTERNS["o200k"],
    "llama3": _LLAMA3,
    "qwen2": patterns.PATTERNS["qwen2"],
    "nanochat": _LLAMA3.replace("{1,3}", "{1,2}"),
}
"""By scheme, the spelling that readers of tokenizer.json know best. cl100k takes white space at the end of
the text whole, as tiktoken has it today; its first spelling, which is Llama 3's, does not."""


@dataclass(frozen=True, slots=True)
class _Direction:
    """How one dialect is spelled in the other."""

    reader: str  # whose dialect comes out, for messages
    spelled: Mapping[str, str]  # anchors
    flags: Mapping[str, str]
    counted_plus: str  # what `{n,m}+` means in the source
    word: str | None  # what `\w` is for the reader, as the inside of a class; None: no class says it


_TO = _Direction(
    reader="Oniguruma",
    spelled={"$": r"\z", "^": r"\A", r"\Z": r"\z", r"\z": r"\z"},
    flags={"i": "i", "s": "m"},
    counted_plus="(?>{})",
    word=r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}",
)
_FROM = _Direction(
    reader="nlpkit",
    spelled={"$": "(?m:$)", "^": "(?m:^)", r"\z": "$"},
    flags={"i": "i", "m": "s"},
    counted_plus="(?:{})+",
    word=None,  # Oniguruma's \w has ² and ½, but not in a class
)


def to_oniguruma(pat_str: str) -> str:
    """A split pattern of nlpkit's in Oniguruma's dialect; the known ones in their first spelling.

    Raises:
        NlpkitError: it has a construct that Oniguruma lacks or reads otherwise; names it.
    """
    known = _FIRST_SPELLINGS.get(patterns.named_scheme(pat_str) or "")
    return _Rewriter(pat_str, _TO).rewrite() if known is None else known


def from_oniguruma(pattern: str) -> str:
    """A pattern of a tokenizer.json as nlpkit reads it; the known ones in the spelling of `PATTERNS`.

    Raises:
        NlpkitError: as `to_oniguruma`.
    """
    read = _Rewriter(pattern, _FROM).rewrite()
    return patterns.PATTERNS.get(patterns.named_scheme(read) or "", read)


class _Rewriter:
    """One pass over a pattern that keeps track of where the last atom began."""

    def __init__(self, pattern: str, direction: _Direction) -> None:
        self.pattern, self.direction = pattern, direction
        self.position = 0
        self.out: list[str] = []
        self.groups: list[int] = []  # where the open groups began in `out`
        self.atom = 0  # where the last atom began in `out`
        self.anchors: set[str] = set()  # the ones met

    def rewrite(self) -> str:
        closing = ""
        while self.position < len(self.pattern):
            begin = self.position
            token = self._next(_OUTSIDE)
            if token.startswith("(?") and token.endswith(")"):
                if begin:
                    self._refuse(f"the flags {token} inside the pattern")
                self.out.append(self._flags(token[:-1] + ":"))
                closing = ")"
            else:
                self._outside(token)
        return "".join(self.out) + closing

    def _next(self, tokens: "re.Pattern[str]") -> str:
        match = tokens.match(self.pattern, self.position)
        if match is None:
            self._refuse("an end inside a character class")
        self.position = match.end()
        return match[0]

    def _outside(self, token: str) -> None:
        if token in ("[", "[^"):
            self.atom = len(self.out)
            self.out.append(self._class(token))
        elif token.startswith("("):
            self.groups.append(len(self.out))
            self.out.append(self._group(token))
        elif token == ")":
            if not self.groups:
                self._refuse("a ) too many")
            self.atom = self.groups.pop()
            self.out.append(token)
        elif token[0] in "*+?" or (token[0] == "{" and len(token) > 2):
            self._quantifier(token)
        elif token in self.direction.spelled:
            self.out.append(self._anchor(token))
        else:
            self.atom = len(self.out)
            self.out.append(self._escape(token) if token[0] == "\\" else token)

    def _anchor(self, token: str) -> str:
        self.anchors.add(token)
        if self.direction is _FROM and r"\z" in self.anchors and len(self.anchors) > 1:
            self._refuse(r"\z beside the ends of lines")
        return self.direction.spelled[token]

    def _quantifier(self, token: str) -> None:
        if token.startswith("{,}"):
            self._refuse("the quantifier {,}")
        if token[0] != "{" or token[-1] == "}":
            self.out.append(token)
        elif token[-1] == "+":
            atom = "".join(self.out[self.atom :])
            self.out[self.atom :] = [self.direction.counted_plus.format(atom + token[:-1])]
        elif "," in token:
            self.out.append(token)
        else:
            self._refuse(f"the quantifier {token}")

    def _group(self, token: str) -> str:
        if token in ("(", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"):
            return token
        if not token.endswith(":"):
            self._refuse(f"the group {token}…")
        return self._flags(token)

    def _flags(self, token: str) -> str:
        """`(?is-m:` with each flag as the other dialect calls it."""
        letters = token[2:-1]
        unknown = [letter for letter in letters if letter != "-" and letter not in self.direction.flags]
        if unknown:
            self._refuse(f"the flag {unknown[0]!r}")
        return f"(?{''.join(self.direction.flags.get(letter, letter) for letter in letters)}:"

    def _escape(self, token: str) -> str:
        if token[1] in "pP":
            return self._property(token)
        if token in (r"\w", r"\W"):
            if self.direction.word is None:
                self._refuse(f"the escape {token}")
            return ("[" if token == r"\w" else "[^") + self.direction.word + "]"
        if token[1] == "U" and len(token) > 2:
            return f"\\x{{{token[2:]}}}"
        if token[:3] == r"\x{":
            return f"\\U{int(token[3:-1], 16):08X}"
        if token[1].isalnum() and token[1] not in _SAME_ESCAPES and len(token) == 2:
            self._refuse(f"the escape {token}")
        return token

    def _property(self, token: str) -> str:
        match = _PROPERTY.fullmatch(token)
        if match is None:
            self._refuse(f"the property {token}")
        kind, caret, key, value, letter = match.groups()
        if letter is not None:
            if self.direction is _FROM:
                self._refuse(f"the escape {token[:2]} without braces")
            return f"\\{kind}{{{letter}}}"
        if key is not None and key.lower() not in _SCRIPT_KEYS:
            self._refuse(f"the property {token}")
        return f"\\{kind}{{{caret}{value}}}"

    def _class(self, opening: str) -> str:
        """A character class, the ones nested in it included."""
        if self.pattern.startswith("]", self.position):
            self._refuse(f"the unescaped ] after {opening}")
        parts = [opening]
        while (token := self._next(_INSIDE)) != "]":
            if token in ("[", "[^"):
                parts.append(self._class(token))
            elif token in ("[:", "--", "~~", "||"):
                self._refuse(f"{token} in a character class")
            elif token[0] == "\\":
                if token == r"\A":
                    self._refuse(rf"the escape {token} in a character class")
                parts.append(self._escape(token))
            else:
                parts.append(token)
        return "".join([*parts, "]"])

    def _refuse(self, construct: str) -> NoReturn:
        raise NlpkitError(
            f"the split pattern has {construct} before position {self.position}, which "
            f"{self.direction.reader} reads otherwise or not at all: spell it in another way (the pattern "
            f"begins {self.pattern[:40]!r})."
        )


def covering(pattern: str) -> str:
    """A pattern that matches as `pattern` does, and takes each stretch between its matches as one piece.

    Hugging Face's Split keeps such stretches as pieces; nlpkit wants a pattern that covers the text. The
    known patterns do so already, and so does what this function returns.
    """
    if pattern in patterns.PATTERNS.values():
        return pattern
    base, bar, rest = pattern.rpartition("|(?:(?!")
    if bar and rest == _between_matches(base)[len("(?:(?!") :]:
        return pattern
    return f"{pattern}|{_between_matches(pattern)}"


def _between_matches(pattern: str) -> str:
    return f"(?:(?!{pattern})(?s:.))+"
