"""Vocabularies in whatever form they come: recognised, read, and written in the form that others want."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nlpkit.errors import NlpkitError, UsageError
from nlpkit.tokenization.formats.agreement import Agreement
from nlpkit.tokenization.formats.gpt2 import holds_gpt2, read_gpt2, write_gpt2
from nlpkit.tokenization.formats.huggingface import (
    TOKENIZER_FILE,
    write_huggingface,
)
from nlpkit.tokenization.formats.huggingface_reading import read_huggingface
from nlpkit.tokenization.formats.tiktoken_export import compare_with_tiktoken, write_tiktoken
from nlpkit.tokenization.known import get_encoding, is_published_file, list_encoding_names
from nlpkit.tokenization.loading import load_vocabulary
from nlpkit.tokenization.tokenizer import Tokenizer
from nlpkit.tokenization.vocabulary_files import DESCRIPTION_FILE
from nlpkit.tokenization.word_vocabulary import WordVocabulary

Format = Literal["nlpkit", "published", "huggingface", "gpt2", "tiktoken"]

EXPORTS = {"huggingface": write_huggingface, "tiktoken": write_tiktoken, "gpt2": write_gpt2}
"""What `export_vocabulary` can write, by the name of the format."""


@dataclass(frozen=True, slots=True)
class OpenedVocabulary:
    """A vocabulary, the form it came in, what that form also says and is not applied, and the self-check."""

    vocabulary: Tokenizer | WordVocabulary
    format: Format
    notes: tuple[str, ...] = ()
    agreement: Agreement | None = None


def open_vocabulary(
    given: str | Path,
    *,
    pattern: str | None = None,
    special_tokens: Sequence[str] = (),
    texts: Iterable[str] = (),
) -> OpenedVocabulary:
    """Read a vocabulary in any form that nlpkit knows.

    Args:
        given: a folder of nlpkit's; a published vocabulary's name; a `tokenizer.json` or a folder with one; a
            folder with GPT-2's two files; or a `.tiktoken` file, of which the published ones are known.
        pattern: the split pattern, for a `.tiktoken` file that is not a published one.
        special_tokens: for such a file: `TEXT=ID`, or TEXT, which gets the next id after those in use.
        texts: encoded on both sides, beside made-up texts: with Hugging Face's library for its files and
            GPT-2's, which are compared in any case, and with tiktoken for the other forms.

    Raises:
        UsageError: nothing is there, the form is not known, or `pattern` does not go with it.
        CorruptFileError: a file is damaged.
        NlpkitError: nlpkit would give other ids than the form says; names the reason.
    """
    path = Path(given)
    if not path.exists() and str(given) not in list_encoding_names():
        raise UsageError(
            f"{given} does not exist, and no published vocabulary has this name: check the path, or use one "
            f"of {', '.join(list_encoding_names())}."
        )
    if path.is_file() and path.suffix != ".json":
        opened = _open_ranks(path, pattern, special_tokens)
    elif pattern is not None or special_tokens:
        raise UsageError(f"{given} says its own pattern and special tokens: leave those options out.")
    elif not path.exists():
        opened = OpenedVocabulary(get_encoding(str(given)), "published")
    elif (path / DESCRIPTION_FILE).is_file():
        opened = OpenedVocabulary(load_vocabulary(path), "nlpkit")
    else:
        return _open_foreign(path, texts)
    return _compare_with_tiktoken(opened, texts) if texts else opened


def is_vocabulary(given: str | Path) -> bool:
    """Whether `open_vocabulary` takes this for a vocabulary: a folder with the files of one, a .tiktoken or
    .json file, or a published name where there is no such path.
    """
    path = Path(given)
    if path.is_dir():
        return (path / DESCRIPTION_FILE).is_file() or (path / TOKENIZER_FILE).is_file() or holds_gpt2(path)
    if path.exists():
        return path.suffix in (".tiktoken", ".json")
    return str(given) in list_encoding_names()


def _compare_with_tiktoken(opened: OpenedVocabulary, texts: Iterable[str]) -> OpenedVocabulary:
    vocabulary = opened.vocabulary
    if not isinstance(vocabulary, Tokenizer):
        raise UsageError("a vocabulary of words has nothing to be compared with: leave the texts out.")
    what = f"the vocabulary {vocabulary.name!r}"
    agreement = compare_with_tiktoken(vocabulary.definition, vocabulary.check(texts), what)
    return replace(opened, agreement=agreement)


def _open_foreign(path: Path, texts: Iterable[str]) -> OpenedVocabulary:
    """A folder of another library's files, or a `tokenizer.json`."""
    if not path.is_dir() or (path / TOKENIZER_FILE).is_file():
        file = read_huggingface(path)
        tokenizer = Tokenizer(**file.definition.arguments())
        return OpenedVocabulary(tokenizer, "huggingface", file.notes, file.compare(tokenizer.check(texts)))
    if holds_gpt2(path):
        files = read_gpt2(path)
        tokenizer = Tokenizer(**files.definition.arguments())
        return OpenedVocabulary(tokenizer, "gpt2", (), files.compare(tokenizer.check(texts)))
    raise UsageError(
        f"{path} holds no vocabulary that nlpkit knows: none of {DESCRIPTION_FILE}, {TOKENIZER_FILE}, and "
        "vocab.json with merges.txt (or encoder.json with vocab.bpe)."
    )


def _open_ranks(path: Path, pattern: str | None, special_tokens: Sequence[str]) -> OpenedVocabulary:
    """A `.tiktoken` file."""
    if pattern is None and not special_tokens and is_published_file(path):
        return OpenedVocabulary(get_encoding(path.stem, folder=path.parent), "published")
    tokenizer = Tokenizer.load(path, pattern=pattern)
    numbered = _number(special_tokens, tokenizer.n_vocab)
    arguments: dict[str, Any] = tokenizer.definition.arguments() | {"special_tokens": numbered}
    return OpenedVocabulary(Tokenizer(**arguments), "tiktoken")


def _number(special_tokens: Sequence[str], first: int) -> dict[str, int]:
    """The ids of `TEXT=ID` and of TEXT, which follows the highest id before it."""
    numbered: dict[str, int] = {}
    for given in special_tokens:
        text, equals, number = given.rpartition("=")
        if not (equals and text and number.isdigit()):
            text, number = given, str(max([first - 1, *numbered.values()]) + 1)
        if text in numbered:
            raise UsageError(f"the special token {text!r} is given twice.")
        numbered[text] = int(number)
    return numbered


def export_vocabulary(
    vocabulary: Tokenizer | WordVocabulary, format: str, out: Path, *, texts: Iterable[str] = ()
) -> Agreement | None:
    """Write a vocabulary in another library's form.

    Args:
        vocabulary: byte-level BPE.
        format: one of `EXPORTS`.
        out: the folder to write into; other files in it stay.
        texts: encoded on both sides, beside made-up texts.

    Returns:
        what was compared, or None where the other library is not installed.

    Raises:
        UsageError: no format has the name.
        NlpkitError: the vocabulary cannot be said in this form, or the two sides differ; nothing is written.
    """
    if format not in EXPORTS:
        raise UsageError(f"nlpkit exports no format {format!r}: use {', '.join(EXPORTS)}.")
    if not isinstance(vocabulary, Tokenizer):
        raise NlpkitError("a vocabulary of words has no form in other libraries: export byte-level BPE.")
    return EXPORTS[format](vocabulary.definition, out, vocabulary.check(texts))
