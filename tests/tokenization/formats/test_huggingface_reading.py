"""Hugging Face's tokenizer.json: the shapes that are read, and each feature that is refused by name."""

import copy
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.tokenization import Tokenizer
from nlpkit.tokenization.formats.byte_characters import to_characters
from nlpkit.tokenization.formats.definition import BpeDefinition
from nlpkit.tokenization.formats.huggingface import tokenizer_json
from nlpkit.tokenization.formats.huggingface_reading import read_huggingface
from nlpkit.tokenization.formats.merges import every_split
from nlpkit.tokenization.patterns import PATTERNS

Content = dict[str, Any]
Write = Callable[[Content], Path]

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
FLAGS = {"single_word": False, "lstrip": False, "rstrip": False}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
NO_REGEX = BYTE_LEVEL | {"use_regex": False}


def isolated(pattern: str) -> Content:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


@pytest.fixture
def content(tokenizer: Tokenizer) -> Content:
    """A valid file to change."""
    return copy.deepcopy(tokenizer_json(tokenizer.definition))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: Content) -> Path:
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


def test_gpt2s_shape(content: Content, write: Write, sample_texts: list[str]) -> None:
    content["pre_tokenizer"] = content["decoder"] = BYTE_LEVEL
    content["model"] |= {
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "unk_token": "<|endoftext|>",
    }
    del content["model"]["type"]  # as in files of 2020
    path = write(content)
    tokenizer = Tokenizer.from_huggingface(path.parent)
    assert tokenizer._scheme == "gpt2"
    theirs = tokenizers.Tokenizer.from_file(str(path))
    for text in sample_texts:
        assert tokenizer.encode(text) == theirs.encode(text).ids


def test_llama3s_shape(tokenizer: Tokenizer, content: Content, write: Write, sample_texts: list[str]) -> None:
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [isolated(LLAMA3_SPLIT), NO_REGEX]}
    pairs = every_split(tokenizer._mergeable_ranks)  # its file lists several pairs a token
    content["model"] |= {
        "ignore_merges": True,
        "merges": [[to_characters(left), to_characters(right)] for left, right in pairs],
    }
    begin = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
    template = {
        "type": "TemplateProcessing",
        "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {
            "<|endoftext|>": {"id": "<|endoftext|>", "ids": [1999], "tokens": ["<|endoftext|>"]}
        },
    }
    content["post_processor"] = {"type": "Sequence", "processors": [BYTE_LEVEL, template]}
    path = write(content)
    read = Tokenizer.from_huggingface(path)
    assert read._scheme == "llama3"
    theirs = tokenizers.Tokenizer.from_file(str(path))
    for text in sample_texts:
        assert read.encode(text) == theirs.encode(text, add_special_tokens=False).ids
    assert read_huggingface(path).notes == (
        "the post-processor TemplateProcessing is not applied: ids are those of encoding with "
        "add_special_tokens=False.",
    )


def test_llama3s_shape_at_full_size(
    real_ranks: Callable[[str], dict[bytes, int]], real_texts: list[str], write: Write
) -> None:
    """Llama 3's split, template and 256 special tokens, on cl100k's ranks."""
    names = ["<|begin_of_text|>", "<|end_of_text|>", *(f"<|reserved_special_token_{i}|>" for i in range(254))]
    special_tokens = {name: 128_000 + i for i, name in enumerate(names)}
    definition = BpeDefinition("llama3", PATTERNS["llama3"], real_ranks("cl100k_base"), special_tokens)
    content = copy.deepcopy(tokenizer_json(definition))
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [isolated(LLAMA3_SPLIT), NO_REGEX]}
    content["model"]["ignore_merges"] = True
    begin, single = {"SpecialToken": {"id": names[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [begin, single],
        "pair": [begin, single, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {names[0]: {"id": names[0], "ids": [128_000], "tokens": [names[0]]}},
    }
    path = write(content)
    ours, theirs = Tokenizer.from_huggingface(path), tokenizers.Tokenizer.from_file(str(path))
    assert (ours._scheme, ours.n_vocab) == ("llama3", 128_256)
    for text in [*real_texts[::12], f"a {names[0]}b{names[200]}  \n{names[1]}"]:
        ids = ours.encode(text, allowed_special="all")
        assert ids == theirs.encode(text, add_special_tokens=False).ids
        assert [128_000, *ids] == theirs.encode(text).ids


def test_qwens_shape_without_its_normalizer(content: Content, write: Write) -> None:
    pattern = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [isolated(pattern), NO_REGEX]}
    content["normalizer"] = {"type": "Sequence", "normalizers": []}
    content["added_tokens"].append(
        {"id": 5000, "content": "<tool_call>", "special": False, "normalized": False} | FLAGS
    )
    content["model"]["vocab"]["<tool_call>"] = 5000
    path = write(content)
    tokenizer = Tokenizer.from_huggingface(path)
    assert tokenizer._scheme == "qwen2"
    assert tokenizer.encode("a<tool_call>1", allowed_special="all")[1] == 5000
    assert (
        "1 added tokens that the file does not call special, such as '<tool_call>'"
        in read_huggingface(path).notes[0]
    )


def test_an_older_conversion_that_removes_what_does_not_match(content: Content, write: Write) -> None:
    split = isolated(LLAMA3_SPLIT) | {"behavior": "Removed", "invert": True}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, NO_REGEX]}
    assert Tokenizer.from_huggingface(write(content))._scheme == "llama3"


def test_a_pattern_with_holes_keeps_what_it_leaves(content: Content, write: Write) -> None:
    content["pre_tokenizer"]["pretokenizers"][0] = isolated("[a-z]+")
    path = write(content)
    text = "12 rivers, and 中文\n"
    theirs = tokenizers.Tokenizer.from_file(str(path))
    assert Tokenizer.from_huggingface(path).encode(text) == theirs.encode(text).ids


def test_a_literal_split(content: Content, write: Write) -> None:
    content["pre_tokenizer"]["pretokenizers"][0] = isolated("") | {"pattern": {"String": "(a|"}}
    path = write(content)
    text = "rivers(a|and"
    theirs = tokenizers.Tokenizer.from_file(str(path))
    assert Tokenizer.from_huggingface(path).encode(text) == theirs.encode(text).ids


def test_text_as_one_piece(content: Content, write: Write) -> None:
    content["pre_tokenizer"] = NO_REGEX
    path = write(content)
    text = "the rivers and the bread"
    theirs = tokenizers.Tokenizer.from_file(str(path))
    assert Tokenizer.from_huggingface(path).encode(text) == theirs.encode(text).ids


def refuse(part: str, value: Any, message: str) -> Any:
    return pytest.param(part, value, message, id=message[:30])


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        refuse("normalizer", {"type": "NFC"}, "the normalizer NFC"),
        refuse(
            "normalizer",
            {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]},
            r"the normalizer NFKC \+ Lowercase",
        ),
        refuse("model.type", "WordPiece", "holds a WordPiece model"),
        refuse("model.type", "Unigram", "holds a Unigram model"),
        refuse("model.byte_fallback", True, "BPE of characters with byte_fallback, as sentencepiece"),
        refuse("model.dropout", 0.1, "it has dropout 0.1"),
        refuse("model.continuing_subword_prefix", "##", "continuing_subword_prefix '##'"),
        refuse("model.end_of_word_suffix", "</w>", "end_of_word_suffix '</w>'"),
        refuse("decoder", {"type": "Metaspace"}, "the decoder Metaspace"),
        refuse("pre_tokenizer", None, "the pre-tokenizer null"),
        refuse("pre_tokenizer", {"type": "Whitespace"}, "the pre-tokenizer Whitespace"),
        refuse("pre_tokenizer", BYTE_LEVEL | {"add_prefix_space": True}, "add_prefix_space"),
        refuse(
            "pre_tokenizer",
            {"type": "Sequence", "pretokenizers": [isolated(r"\p{N}{1,3}"), isolated("[一-龥]+"), NO_REGEX]},
            r"the pre-tokenizer Split \+ Split \+ ByteLevel",  # DeepSeek's
        ),
        refuse(
            "pre_tokenizer",
            {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": 1}, BYTE_LEVEL]},
            r"the pre-tokenizer Digits \+ ByteLevel with use_regex",  # StarCoder's
        ),
        refuse(
            "pre_tokenizer",
            {"type": "Sequence", "pretokenizers": [isolated(" ") | {"behavior": "MergedWithNext"}, NO_REGEX]},
            "the Split behavior MergedWithNext",
        ),
        refuse(
            "pre_tokenizer",
            {"type": "Sequence", "pretokenizers": [isolated(r"\bword|\s"), NO_REGEX]},
            r"the escape \\b",
        ),
        refuse("added_tokens.0.lstrip", True, "lstrip of the added token '<|endoftext|>'"),
        refuse("added_tokens.0.rstrip", True, "rstrip of the added token"),
        refuse("added_tokens.0.single_word", True, "single_word of the added token"),
        refuse(
            "added_tokens.1",
            {"id": 9000, "content": "|><|", "normalized": True},
            r"normalized of the added token '\|><\|', which is sought after '<\|endoftext\|>'",
        ),
        refuse("model.vocab.▁the", 9000, "'▁the' is not spelled in GPT-2's alphabet"),
        refuse("model.vocab.xxyy", 9000, r"merges never give the token b'xxyy' \(id 9000\)"),
    ],
)  # fmt: skip
def test_what_nlpkit_does_not_do_is_refused_by_name(
    part: str, value: Any, message: str, content: Content, write: Write
) -> None:
    *parents, last = part.split(".")
    place: Any = content
    for key in parents:
        place = place[int(key)] if key.isdigit() else place[key]
    if last.isdigit():
        place.append(value)
    else:
        place[last] = value
    with pytest.raises(NlpkitError, match=message) as refused:
        Tokenizer.from_huggingface(write(content))
    assert "tokenizer.json" in str(refused.value) or "pattern" in str(refused.value)


def test_an_unknown_token_is_refused_where_it_could_come_up(content: Content, write: Write) -> None:
    content["model"]["unk_token"] = "<|endoftext|>"
    content["model"]["vocab"].pop("ÿ")
    with pytest.raises(NlpkitError, match=r"1 bytes have no token.*unk_token '<\|endoftext\|>'"):
        Tokenizer.from_huggingface(write(content))


def test_merges_in_another_order_than_the_ids_are_refused(content: Content, write: Write) -> None:
    merges = content["model"]["merges"]
    merges[10], merges[20] = merges[20], merges[10]
    with pytest.raises(NlpkitError, match="its merges are not in the order of the ids"):
        Tokenizer.from_huggingface(write(content))


def test_a_missing_merge_is_refused(content: Content, write: Write) -> None:
    del content["model"]["merges"][100]
    with pytest.raises(NlpkitError, match=r"no merge of .* gives the token"):
        Tokenizer.from_huggingface(write(content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content["model"].pop("vocab"), "is not laid out as a tokenizer.json is"),
        (lambda content: content["model"].update(merges=["a b c"]), "the merge 'a b c' is not of two tokens"),
        (lambda content: content["model"].update(merges=["a ▁b"]), "merge 'a ▁b' is not spelled in"),
        (lambda content: content["model"]["vocab"].update(a=-1), "the id of 'a' is -1, no number that fits"),
        (lambda content: content["model"]["vocab"].update(a=1.5), "the id of 'a' is 1.5, no number"),
        (lambda content: content["model"]["vocab"].update(a=2**40), "the id of 'a' is 1099511627776, no"),
        (lambda content: content["added_tokens"][0].update(id=None), "is None, no number that fits 32 bits"),
        (lambda content: content["added_tokens"][0].update(id=5), r"has the id 5 among the added tokens and"),
        (lambda content: content["added_tokens"].append({}), "is not laid out as a tokenizer.json is"),
        (lambda content: content.update(pre_tokenizer=[]), "is not laid out as a tokenizer.json is"),
    ],
)
def test_damaged_files_say_what_is_wrong(
    damage: Callable[[Content], Any], message: str, content: Content, write: Write
) -> None:
    damage(content)
    with pytest.raises(CorruptFileError, match=message):
        Tokenizer.from_huggingface(write(content))


def test_truncation_and_padding_are_left_to_the_caller(content: Content, write: Write) -> None:
    content["truncation"] = {"max_length": 512}
    content["padding"] = {"strategy": "BatchLongest"}
    assert read_huggingface(write(content)).notes == ("truncation is not applied.", "padding is not applied.")


def test_nothing_there_and_something_else(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UsageError, match=r"tokenizer\.json does not exist"):
        Tokenizer.from_huggingface(tmp_path)
    with pytest.raises(UsageError, match=r"is no tokenizer\.json: it has no model in it"):
        Tokenizer.from_huggingface(write({"hello": "there"}))
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(CorruptFileError, match="not valid JSON"):
        Tokenizer.from_huggingface(tmp_path)


def test_an_import_that_does_not_agree_is_refused(
    byte_definition: Callable[..., BpeDefinition], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tokenizer_json(byte_definition(b"ab")))
    monkeypatch.setattr(Tokenizer, "encode", lambda self, text, **_: [1])
    with pytest.raises(NlpkitError, match=r"the import of .* does not agree with tokenizers"):
        Tokenizer.from_huggingface(path)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, the vocabulary's entries aside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [place for key, part in inner if key != "vocab" for place in places(part, (*path, key))]
    return [path, *below] if path else below


def test_no_change_to_a_file_makes_anything_but_a_sentence(
    byte_definition: Callable[..., BpeDefinition], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # its own complaints are not the matter here
    original = tokenizer_json(byte_definition(b"ab", b"abc", pat_str=PATTERNS["cl100k"], one=300, two=301))
    values = [None, True, 0, -1, 1.5, 2**40, "", "x", [], ["a"], [[]], {}, {"type": "BPE"}, {"type": None}]
    generator = random.Random(7)
    refused = 0
    for _ in range(300):
        content = copy.deepcopy(original)
        *parents, last = generator.choice(places(content))
        place: Any = content
        for key in parents:
            place = place[key]
        if generator.random() < 0.25:
            del place[last]
        else:
            place[last] = copy.deepcopy(generator.choice(values))
        try:
            Tokenizer.from_huggingface(write(content))
        except NlpkitError:
            refused += 1
    assert refused > 100
