"""Hugging Face's `tokenizer.json`: writing a byte-level BPE vocabulary as one.

The folder has `tokenizer.json` (the vocabulary, the split pattern in Oniguruma's dialect, the merges) and
`tokenizer_config.json`, so that `transformers.AutoTokenizer.from_pretrained(folder)` loads it offline.
Special tokens stand in the model's vocabulary too, as GPT-2's does: the library would number them anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlpkit.errors import NlpkitError
from nlpkit.files import write_json
from nlpkit.tokenization.formats.agreement import Agreement, Check
from nlpkit.tokenization.formats.byte_characters import to_characters
from nlpkit.tokenization.formats.definition import BpeDefinition
from nlpkit.tokenization.formats.merges import every_split, recover_merges
from nlpkit.tokenization.formats.oniguruma import to_oniguruma

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"

_END_OF_TEXT = "<|endoftext|>"
_NO_LIMIT = 10**30
"""transformers' own stand-in for "no maximum length" (VERY_LARGE_INTEGER in tokenization_utils_base.py)."""


def write_huggingface(
    definition: BpeDefinition, folder: Path, check: Check | None = None
) -> Agreement | None:
    """Write `tokenizer.json` and `tokenizer_config.json` into `folder`; other files in it stay.

    Args:
        definition: the vocabulary.
        folder: where to write; a model's folder will do.
        check: where it is given and the `tokenizers` library is installed, both sides encode the same texts
            before anything is written.

    Returns:
        what was compared, or None where nothing was.

    Raises:
        NlpkitError: the vocabulary cannot be said in this format (names what), or the two sides differ.
    """
    content = tokenizer_json(definition)
    agreement = None
    if check is not None:
        text = json.dumps(content, ensure_ascii=False)
        agreement = compare_with_tokenizers(definition, text, check, f"the export to {folder}")
    write_json(folder / TOKENIZER_FILE, content)
    write_json(folder / CONFIG_FILE, _tokenizer_config(definition))
    return agreement


def tokenizer_json(definition: BpeDefinition) -> dict[str, Any]:
    """The content of `tokenizer.json`.

    Raises:
        NlpkitError: the vocabulary cannot be said in this format; names what.
    """
    merges = recover_merges(definition.mergeable_ranks)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {
        "type": "Split",
        "pattern": {"Regex": to_oniguruma(definition.pat_str)},
        "behavior": "Isolated",
        "invert": False,
    }
    pairs = every_split(definition.mergeable_ranks) if merges is None else merges
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(definition.special_tokens),
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": merges is None,
            "vocab": spelled_vocabulary(definition, TOKENIZER_FILE),
            "merges": [f"{to_characters(left)} {to_characters(right)}" for left, right in pairs],
        },
    }


def spelled_vocabulary(definition: BpeDefinition, file: str) -> dict[str, int]:
    """Every token as `file` spells it, with its id, the special ones among them; in the order of the ids.

    Raises:
        NlpkitError: two special tokens share an id, or one is spelled like a token of another id.
    """
    spelled = {to_characters(token): rank for token, rank in definition.mergeable_ranks.items()}
    owners: dict[int, str] = {}
    for text, token in definition.special_tokens.items():
        if owners.setdefault(token, text) != text:
            raise NlpkitError(
                f"the special tokens {owners[token]!r} and {text!r} share the id {token}, and "
                f"{file} has one text an id: leave one of them out."
            )
        if spelled.get(text, token) != token:
            raise NlpkitError(
                f"the special token {text!r} (id {token}) is spelled like token {spelled[text]}, and "
                f"{file} has one id a spelling: use another name for it."
            )
    together = {**spelled, **definition.special_tokens}
    return dict(sorted(together.items(), key=lambda item: item[1]))


def _added_tokens(special_tokens: Mapping[str, int]) -> list[dict[str, Any]]:
    """The special tokens in the order of their ids, matched as they are."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    ordered = sorted(special_tokens.items(), key=lambda item: item[1])
    return [{"id": token, "content": text, **flags} for text, token in ordered]


def _tokenizer_config(definition: BpeDefinition) -> dict[str, Any]:
    """What `AutoTokenizer` wants to know beside `tokenizer.json`."""
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _NO_LIMIT,
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
    }
    others = [text for text in definition.special_tokens if text != _END_OF_TEXT]
    if _END_OF_TEXT in definition.special_tokens:
        config["eos_token"] = _END_OF_TEXT
    if others:
        config["additional_special_tokens"] = others
    return config


def compare_with_tokenizers(
    definition: BpeDefinition, content: str, check: Check, what: str
) -> Agreement | None:
    """Encode the same texts here and with the `tokenizers` library; None where that is not installed.

    Args:
        definition: the vocabulary.
        content: the `tokenizer.json`.
        check: our side of it.
        what: what was converted, for the message.

    Raises:
        NlpkitError: the ids of some text differ.
    """
    try:
        import tokenizers
    except ImportError:
        return None
    peer = f"tokenizers {tokenizers.__version__}"
    try:
        theirs = tokenizers.Tokenizer.from_str(content)
    except Exception as error:  # the library knows no narrower one
        raise NlpkitError(f"{what} failed: {peer} cannot load the tokenizer.json ({error}).") from error

    def encode_there(text: str) -> list[int]:
        ids: list[int] = theirs.encode(text, add_special_tokens=False).ids
        return ids

    return check.require(definition, encode_there, peer=peer, what=what)
