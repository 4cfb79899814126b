"""Hugging Face's `tokenizer.json`: reading byte-level BPE, and refusing by name what is something else.

What decides ids in such a file goes far beyond ranks, a split pattern and special tokens. Whatever nlpkit
does not do is refused, never left out: the ids would differ in silence. What only concerns the caller's side
of encoding (templates that add a token at the beginning, truncation, padding) is not applied, and reported.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import regex

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.files import read_json
from nlpkit.tokenization.formats.agreement import Agreement, Check
from nlpkit.tokenization.formats.byte_characters import to_bytes
from nlpkit.tokenization.formats.definition import BpeDefinition
from nlpkit.tokenization.formats.huggingface import TOKENIZER_FILE, compare_with_tokenizers
from nlpkit.tokenization.formats.merges import Pair, check_merges
from nlpkit.tokenization.formats.oniguruma import covering, from_oniguruma
from nlpkit.tokenization.patterns import PATTERNS

_MATCHING_FLAGS = ("single_word", "lstrip", "rstrip")


@dataclass(frozen=True, slots=True)
class HuggingFaceFile:
    """What a `tokenizer.json` holds: the vocabulary, and a sentence for each thing that is not applied."""

    path: Path
    text: str
    definition: BpeDefinition
    notes: tuple[str, ...]

    def compare(self, check: Check) -> Agreement | None:
        """Encode the same texts here and with the library itself; see `compare_with_tokenizers`."""
        return compare_with_tokenizers(self.definition, self.text, check, f"the import of {self.path}")


def read_huggingface(path: Path) -> HuggingFaceFile:
    """Read a `tokenizer.json`, or the one in a folder.

    Raises:
        UsageError: nothing is there.
        CorruptFileError: the file is damaged, or no tokenizer.json.
        NlpkitError: it needs something that nlpkit does not do; names it.
    """
    path = path / TOKENIZER_FILE if path.is_dir() else path
    content = read_json(path)
    try:
        definition = _read(content, path)
        notes = tuple(_notes(content, content.get("added_tokens") or []))
        return HuggingFaceFile(path, path.read_text(encoding="utf-8"), definition, notes)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise CorruptFileError(
            f"{path} is not laid out as a tokenizer.json is ({type(error).__name__}: {error}): restore it."
        ) from error


def _read(content: Mapping[str, Any], path: Path) -> BpeDefinition:
    if "model" not in content:
        raise UsageError(f"{path} is no tokenizer.json: it has no model in it.")
    model = content["model"]
    _check_model(model, path)
    _check_normalizer(content.get("normalizer"), path)
    _check_decoder(content.get("decoder"), path)
    added = content.get("added_tokens") or []
    _check_added_tokens(added, path)
    special_tokens = {token["content"]: token["id"] for token in added}
    check_ids(model["vocab"] | special_tokens, path)
    for text, token in special_tokens.items():
        if model["vocab"].get(text, token) != token:
            raise CorruptFileError(
                f"{path}: {text!r} has the id {token} among the added tokens and {model['vocab'][text]} in "
                "the vocabulary: mend one of them."
            )
    ranks = byte_level_ranks(model["vocab"], special_tokens, str(path), model.get("unk_token"))
    check_merges(
        (parse_merge(merge, str(path)) for merge in model["merges"]),
        ranks,
        bool(model.get("ignore_merges")),
        str(path),
    )
    return BpeDefinition(
        path.parent.resolve().name if path.name == TOKENIZER_FILE else path.stem,
        read_pattern(content.get("pre_tokenizer"), path),
        ranks,
        special_tokens,
    )


def _check_model(model: Mapping[str, Any], path: Path) -> None:
    kind = model.get("type") or ("BPE" if "merges" in model else "unknown")
    if kind != "BPE":
        raise NlpkitError(f"{path} holds a {kind} model: nlpkit reads byte-level BPE only.")
    if model.get("byte_fallback"):
        raise NlpkitError(
            f"{path} holds a BPE of characters with byte_fallback, as sentencepiece makes it: nlpkit reads "
            "byte-level BPE only."
        )
    for feature in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(feature):
            raise _cannot(path, f"{feature} {model[feature]!r}")


def _check_normalizer(normalizer: Mapping[str, Any] | None, path: Path) -> None:
    names = _types(normalizer, "normalizers")
    if names:
        raise _cannot(path, f"the normalizer {' + '.join(names)}", "text is encoded as it is")


def _check_decoder(decoder: Mapping[str, Any] | None, path: Path) -> None:
    names = _types(decoder, "decoders")
    if set(names) - {"ByteLevel"}:
        raise _cannot(path, f"the decoder {' + '.join(names)}", "ids are decoded to the bytes they stand for")


def _check_added_tokens(added: Sequence[Mapping[str, Any]], path: Path) -> None:
    for token in added:
        for flag in _MATCHING_FLAGS:
            if token.get(flag):
                raise _cannot(
                    path, f"{flag} of the added token {token['content']!r}", "tokens are found as they are"
                )
    first = [token["content"] for token in added if not token.get("normalized", True)]
    second = [token["content"] for token in added if token.get("normalized", True)]
    for one in first:
        for other in second:
            if _overlap(one, other):
                raise _cannot(
                    path,
                    f"normalized of the added token {other!r}, which is sought after {one!r} and overlaps it",
                    "the leftmost and then longest is found",
                )


def _overlap(one: str, other: str) -> bool:
    """Whether a text can hold both with characters in common."""
    if one in other or other in one:
        return True
    shorter = min(len(one), len(other))
    return any(one[-n:] == other[:n] or other[-n:] == one[:n] for n in range(1, shorter))


def check_ids(vocab: Mapping[str, Any], path: Path) -> None:
    """Make sure that ids are numbers that fit 32 bits.

    Raises:
        CorruptFileError: naming the token.
    """
    for text, token in vocab.items():
        if type(token) is not int or not 0 <= token < 2**32 - 1:
            raise CorruptFileError(f"{path}: the id of {text!r} is {token!r}, no number that fits 32 bits.")


def byte_level_ranks(
    vocab: Mapping[str, int], special_tokens: Iterable[str], where: str, unk_token: str | None = None
) -> dict[bytes, int]:
    """The ranks of tokens spelled in GPT-2's alphabet, without the special ones.

    Raises:
        NlpkitError: a token is not spelled so, or a byte has no token.
    """
    special = set(special_tokens)
    ranks: dict[bytes, int] = {}
    for spelling, token in vocab.items():
        if spelling in special:
            continue
        try:
            ranks[to_bytes(spelling)] = token
        except KeyError as error:
            raise NlpkitError(
                f"{where}: token {spelling!r} is not spelled in GPT-2's alphabet of bytes ({error} is not in "
                "it): nlpkit reads byte-level BPE only."
            ) from error
    missing = [bytes([value]) for value in range(256) if bytes([value]) not in ranks]
    if missing:
        unknown = "" if unk_token is None else f", for which it has the unk_token {unk_token!r}"
        raise NlpkitError(
            f"{where}: {len(missing)} bytes have no token, such as {missing[0]!r}{unknown}: nlpkit has no "
            "unknown token and wants one for each byte."
        )
    return ranks


def parse_merge(merge: str | Sequence[str], where: str) -> Pair:
    """The two tokens of a merge, which is `"a b"` or `["a", "b"]`.

    Raises:
        CorruptFileError: it is neither.
    """
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if len(parts) != 2:
        raise CorruptFileError(f"{where}: the merge {merge!r} is not of two tokens.")
    try:
        return to_bytes(parts[0]), to_bytes(parts[1])
    except KeyError as error:
        raise CorruptFileError(
            f"{where}: merge {merge!r} is not spelled in GPT-2's alphabet of bytes ({error} is not of it)."
        ) from error


def read_pattern(pre_tokenizer: Mapping[str, Any] | None, path: Path) -> str:
    """The split pattern of a pre-tokenizer: ByteLevel by itself, or one Split and then ByteLevel.

    Raises:
        NlpkitError: it is anything else; names it.
    """
    steps = _steps(pre_tokenizer, "pretokenizers")
    names = [step["type"] for step in steps]
    if not names or names[-1] != "ByteLevel":
        raise _cannot(
            path,
            f"the pre-tokenizer {' + '.join(names) or 'null'}",
            "it ends in ByteLevel, as GPT-2's does",
        )
    byte_level = steps[-1]
    if byte_level.get("add_prefix_space", True):
        raise _cannot(path, "add_prefix_space", "text is encoded as it is")
    uses_regex = byte_level.get("use_regex", True)
    if names == ["ByteLevel"]:
        return PATTERNS["gpt2"] if uses_regex else "(?s:.)+"
    if names != ["Split", "ByteLevel"] or uses_regex:
        steps_shown = " + ".join(names) + (" with use_regex" if uses_regex else "")
        raise _cannot(path, f"the pre-tokenizer {steps_shown}", "text is split once, by one pattern")
    return _split_pattern(steps[0], path)


def _split_pattern(split: Mapping[str, Any], path: Path) -> str:
    pattern = split["pattern"]
    read = from_oniguruma(pattern["Regex"]) if "Regex" in pattern else regex.escape(pattern["String"])
    behavior = split["behavior"]
    if behavior == "Isolated":
        return covering(read)
    if behavior == "Removed" and split.get("invert"):  # the matches stay, and the rest is refused here
        return read
    raise _cannot(
        path,
        f"the Split behavior {behavior}{' with invert' if split.get('invert') else ''}",
        "every match is a piece",
    )


def _steps(part: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    """The steps of a component, whether it is one, a Sequence or None."""
    if part is None:
        return []
    if part["type"] != "Sequence":
        return [part]
    return [step for inner in part[key] for step in _steps(inner, key)]


def _types(part: Mapping[str, Any] | None, key: str) -> list[str]:
    return [step["type"] for step in _steps(part, key)]


def _cannot(path: Path, feature: str, instead: str = "nlpkit's BPE has no such thing") -> NlpkitError:
    return NlpkitError(f"{path} cannot be read with the same ids: it has {feature}; in nlpkit {instead}.")


def _notes(content: Mapping[str, Any], added: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the file also says and nlpkit leaves to the caller."""
    notes = []
    ordinary = [token["content"] for token in added if not token.get("special")]
    if ordinary:
        notes.append(
            f"{len(ordinary)} added tokens that the file does not call special, such as {ordinary[0]!r}, are "
            "special tokens here: text with them needs allowed_special."
        )
    adding = [name for name in _types(content.get("post_processor"), "processors") if name != "ByteLevel"]
    if adding:
        notes.append(
            f"the post-processor {' + '.join(adding)} is not applied: ids are those of encoding with "
            "add_special_tokens=False."
        )
    notes += [
        f"{part} is not applied." for part in ("truncation", "padding") if content.get(part) is not None
    ]
    return notes
