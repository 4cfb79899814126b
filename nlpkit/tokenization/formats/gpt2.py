"""GPT-2's two files, merges and ids: `merges.txt` and `vocab.json`, first `vocab.bpe` and `encoder.json`.

Neither says how text is split or which tokens are special. GPT-2's pattern goes without saying, so that
vocabularies with another one are refused; special are the entries like <s> that are neither bytes nor made by
a merge.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import read_json, write_text
from nlpkit.tokenization.formats.agreement import Agreement, Check
from nlpkit.tokenization.formats.byte_characters import to_characters
from nlpkit.tokenization.formats.definition import BpeDefinition
from nlpkit.tokenization.formats.huggingface import spelled_vocabulary
from nlpkit.tokenization.formats.huggingface_reading import byte_level_ranks, check_ids, parse_merge
from nlpkit.tokenization.formats.merges import check_merges, recover_merges
from nlpkit.tokenization.patterns import PATTERNS, named_scheme

VOCAB_FILES = ("vocab.json", "encoder.json")
MERGES_FILES = ("merges.txt", "vocab.bpe")
_CONTROL = re.compile(r"<.+>|\[.+\]", re.DOTALL)
"""How special tokens are spelled everywhere. The files do not mark them, and without this a token whose merge
is missing would pass for one."""

_VERSION_LINE = "#version: 0.2"


@dataclass(frozen=True, slots=True)
class Gpt2Files:
    """What the two files hold, as it stands in them and as a vocabulary."""

    path: Path
    vocab: Mapping[str, int]
    merges: Sequence[str]
    definition: BpeDefinition

    def compare(self, check: Check) -> Agreement | None:
        """Encode the same texts here and with Hugging Face's BPE; see `compare_with_bpe`."""
        what = f"the import of {self.path}"
        return compare_with_bpe(self.definition, self.vocab, self.merges, check, what)


def write_gpt2(definition: BpeDefinition, folder: Path, check: Check | None = None) -> Agreement | None:
    """Write `vocab.json` and `merges.txt` into `folder`; other files in it stay.

    Args:
        definition: the vocabulary.
        folder: where to write.
        check: where it is given and the `tokenizers` library is installed, both sides encode the same texts.

    Raises:
        NlpkitError: the vocabulary splits text otherwise than GPT-2, or cannot be said by merges alone; or
            the two sides differ.
    """
    if named_scheme(definition.pat_str) != "gpt2":
        raise NlpkitError(
            "GPT-2's files do not say how text is split, and their readers split as GPT-2 does, which this "
            "vocabulary does not: export it for huggingface."
        )
    pairs = recover_merges(definition.mergeable_ranks)
    if pairs is None:
        raise NlpkitError(
            "merging does not give every token of this vocabulary (see `nlpkit tokenizer doctor`), and "
            "GPT-2's files have nothing but merges: export it for huggingface."
        )
    vocab = spelled_vocabulary(definition, VOCAB_FILES[0])
    merges = [f"{to_characters(left)} {to_characters(right)}" for left, right in pairs]
    agreement = None
    if check is not None:
        agreement = compare_with_bpe(definition, vocab, merges, check, f"the export to {folder}")
    write_text(folder / VOCAB_FILES[0], json.dumps(vocab, ensure_ascii=False) + "\n")
    write_text(folder / MERGES_FILES[0], "".join(f"{line}\n" for line in [_VERSION_LINE, *merges]))
    return agreement


def read_gpt2(folder: Path) -> Gpt2Files:
    """Read the two files of a folder, by either of their names.

    Raises:
        UsageError: one of them is not there.
        CorruptFileError: a file is damaged.
        NlpkitError: merges and ids do not fit together.
    """
    vocab_path, merges_path = _find(folder, VOCAB_FILES), _find(folder, MERGES_FILES)
    vocab = read_json(vocab_path)
    check_ids(vocab, vocab_path)
    merges = _read_merges(merges_path)
    pairs = [parse_merge(merge, str(merges_path)) for merge in merges]
    ordinary = {to_characters(bytes([value])) for value in range(256)}
    ordinary.update(to_characters(left + right) for left, right in pairs)
    special_tokens = {text: token for text, token in vocab.items() if text not in ordinary}
    for text, token in special_tokens.items():
        if not _CONTROL.fullmatch(text):
            raise NlpkitError(
                f"{vocab_path}: {text!r} (id {token}) is neither a byte nor made by a merge of "
                f"{merges_path}, and does not look like a special token such as <s>: is that file complete?"
            )
    ranks = byte_level_ranks(vocab, special_tokens, str(vocab_path))
    check_merges(pairs, ranks, whole_pieces_first=False, where=str(merges_path))
    definition = BpeDefinition(folder.resolve().name, PATTERNS["gpt2"], ranks, special_tokens)
    return Gpt2Files(folder, vocab, merges, definition)


def holds_gpt2(folder: Path) -> bool:
    """Whether both files are in a folder."""
    return all(any((folder / name).is_file() for name in names) for names in (VOCAB_FILES, MERGES_FILES))


def _find(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{folder} has neither {' nor '.join(names)}: check the path.")


def _read_merges(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"{path} is not UTF-8 ({error}): restore it.") from error
    if lines and lines[0].startswith("#version"):
        del lines[0]
    return [line for line in lines if line]


def compare_with_bpe(
    definition: BpeDefinition, vocab: Mapping[str, int], merges: Sequence[str], check: Check, what: str
) -> Agreement | None:
    """Encode the same texts here and with the `tokenizers` library's BPE of these two files.

    None where the library is not installed.

    Raises:
        NlpkitError: the ids of some text differ.
    """
    try:
        import tokenizers
    except ImportError:
        return None
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=dict(vocab), merges=pairs))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.add_special_tokens(list(definition.special_tokens))

    def encode_there(text: str) -> list[int]:
        ids: list[int] = theirs.encode(text).ids
        return ids

    peer = f"tokenizers {tokenizers.__version__}"
    return check.require(definition, encode_there, peer=peer, what=what)
