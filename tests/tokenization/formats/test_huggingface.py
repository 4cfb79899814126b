"""Vocabularies written for Hugging Face, and what its libraries make of them."""

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tokenizers

from nlpkit.errors import NlpkitError
from nlpkit.tokenization import Tokenizer, TrainingText, extend_vocabulary
from nlpkit.tokenization.formats.agreement import FUZZ_TEXTS, Agreement, Check, fuzz_texts
from nlpkit.tokenization.formats.definition import BpeDefinition
from nlpkit.tokenization.formats.huggingface import tokenizer_json, write_huggingface
from nlpkit.tokenization.known import _KNOWN

AGREED = Agreement(f"tokenizers {tokenizers.__version__}", FUZZ_TEXTS)


@pytest.fixture
def vocabularies(tokenizer: Tokenizer, with_gaps: Tokenizer, inconsistent: Tokenizer) -> list[Tokenizer]:
    custom = Tokenizer(
        "custom",
        pat_str=r"\p{N}{1,2}+|[\w']{1,4}+|\s++$|(?s:.)",
        mergeable_ranks=tokenizer._mergeable_ranks,
        special_tokens={"<|endoftext|>": 2500, "<s>": 2000},
    )
    return [tokenizer, with_gaps, inconsistent, custom]


def test_the_library_gives_the_same_ids(
    vocabularies: list[Tokenizer], tmp_path: Path, sample_texts: list[str]
) -> None:
    for tokenizer in vocabularies:
        assert tokenizer.to_huggingface(tmp_path / "hf") == AGREED
        theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "hf" / "tokenizer.json"))
        for text in sample_texts:
            ids = tokenizer.encode(text, allowed_special="all")
            assert theirs.encode(text).ids == ids
            assert theirs.decode(ids, skip_special_tokens=False) == text
        for text, token in tokenizer._special_tokens.items():
            assert theirs.token_to_id(text) == token
            assert theirs.id_to_token(token) == text


def test_auto_tokenizer_loads_the_folder(
    vocabularies: list[Tokenizer], tmp_path: Path, sample_texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    transformers = pytest.importorskip("transformers")
    for tokenizer in vocabularies:
        tokenizer.to_huggingface(tmp_path / "hf")
        loaded = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
        text = "".join(f"{name} a  {name}{name}\n" for name in tokenizer.special_tokens_set) + sample_texts[0]
        ids = tokenizer.encode(text, allowed_special="all")
        assert loaded(text)["input_ids"] == ids
        assert loaded.decode(ids) == text
        assert set(loaded.all_special_tokens) == tokenizer.special_tokens_set
        assert set(loaded.all_special_ids) == set(tokenizer._special_tokens.values())
        assert loaded.eos_token_id == tokenizer.document_end
        split = loaded(text, split_special_tokens=True)["input_ids"]
        assert split == tokenizer.encode(text, disallowed_special=())
        plain = tokenizer.decode([token for token in ids if not tokenizer.is_special_token(token)])
        assert loaded.decode(ids, skip_special_tokens=True) == plain


def test_offsets_are_equal_where_tokens_are_whole_characters(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.to_huggingface(tmp_path / "hf")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "hf" / "tokenizer.json"))
    text = "  Hello,  world!\n\nIt's <|endoftext|> the 12345 rivers\t of bread.  "
    encoded = theirs.encode(text)
    assert [list(pair) for pair in encoded.offsets] == tokenizer.offsets(encoded.ids).characters.tolist()


def test_an_extended_vocabulary_with_its_gap(tokenizer: Tokenizer, tmp_path: Path) -> None:
    ranks = dict(tokenizer._mergeable_ranks)
    (tmp_path / "text.txt").write_text("breadbaskets at riverbanks " * 9)
    extend_vocabulary(tokenizer, TrainingText([tmp_path / "text.txt"]), tmp_path / "extended", add=5)
    longer = Tokenizer.load(tmp_path / "extended")
    assert len(longer._mergeable_ranks) == len(ranks) + 5
    assert longer.eot_token == tokenizer.eot_token  # in the midst of the ids
    assert longer.to_huggingface(tmp_path / "hf") == AGREED


def test_training_there_and_here_writes_the_same_merges(
    tokenizer: Tokenizer, sample_texts: list[str]
) -> None:
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    content = tokenizer_json(tokenizer.definition)
    theirs.pre_tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content)).pre_tokenizer
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=tokenizer.n_vocab - 1,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator(sample_texts, trainer)
    model = json.loads(theirs.to_str())["model"]
    assert [" ".join(pair) for pair in model["merges"]] == content["model"]["merges"]


@pytest.mark.parametrize("name", sorted({*_KNOWN} - {"o200k_harmony"}))  # two specials share an id
def test_published_vocabularies_survive_both_ways(
    name: str, real_ranks: Callable[[str], dict[bytes, int]], real_texts: list[str], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    known = _KNOWN[name]
    tokenizer = Tokenizer(
        name,
        pat_str=known.pattern,
        mergeable_ranks=real_ranks(known.ranks.removesuffix(".tiktoken")),
        special_tokens=known.special_tokens,
    )
    tokenizer.to_huggingface(tmp_path / name)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path / name)
    for text in real_texts[::20]:
        assert loaded(text)["input_ids"] == tokenizer.encode(text, allowed_special="all")
    again = Tokenizer.from_huggingface(tmp_path / name)
    assert again.name == name
    assert again._mergeable_ranks == tokenizer._mergeable_ranks
    assert again._special_tokens == tokenizer._special_tokens
    assert again.fingerprint == tokenizer.fingerprint


@pytest.mark.long
@pytest.mark.parametrize("name", ["gpt2", "p50k_edit", "cl100k_base", "o200k_base"])
def test_shared_texts_have_the_same_ids_and_offsets(
    name: str, real_data: Path, real_ranks: Callable[[str], dict[bytes, int]], tmp_path: Path
) -> None:
    known = _KNOWN[name]
    ranks = real_ranks(known.ranks.removesuffix(".tiktoken"))
    tokenizer = Tokenizer(
        name, pat_str=known.pattern, mergeable_ranks=ranks, special_tokens=known.special_tokens
    )
    tokenizer.to_huggingface(tmp_path, texts=fuzz_texts(tokenizer.definition, count=100_000, seed=2))
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    characters = 0
    for text in shared_texts(real_data):
        encoded = theirs.encode(text)
        assert encoded.ids == tokenizer.encode(text, allowed_special="all")
        ours = tokenizer.offsets(encoded.ids).characters.tolist()
        for token, here, there in zip(encoded.ids, ours, encoded.offsets, strict=True):
            if is_whole_characters(tokenizer.decode_single_token_bytes(token)):
                assert here == list(there)
        characters += len(text)
    print(f"{name}: {characters:,} characters, 102,000 made-up texts, 0 differences")


def shared_texts(real_data: Path, characters: int = 1_000_000) -> Iterator[str]:
    """The beginnings of the documents of each shared set, up to so many characters a set."""
    for path in sorted((real_data / "text" / "dev").glob("*.jsonl.gz")):
        left = characters
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            while left > 0 and (line := next(lines, "")):
                text = json.loads(line)["text"][: min(left, 100_000)]
                left -= len(text)
                yield text


def is_whole_characters(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_what_was_written_reads_back(vocabularies: list[Tokenizer], tmp_path: Path) -> None:
    for tokenizer in vocabularies:
        tokenizer.to_huggingface(tmp_path / tokenizer.name)
        again = Tokenizer.from_huggingface(tmp_path / tokenizer.name)
        assert again._mergeable_ranks == tokenizer._mergeable_ranks
        assert again._special_tokens == tokenizer._special_tokens
        text = "It's 12345 \n rivers' bread \n"
        assert again.encode(text) == tokenizer.encode(text)


def test_a_special_token_spelled_like_a_token_is_refused(
    byte_definition: Callable[..., BpeDefinition], tmp_path: Path
) -> None:
    definition = byte_definition(b"the", b" the", Ġthe=400)
    with pytest.raises(NlpkitError, match=r"special token 'Ġthe' \(id 400\) is spelled like token 257"):
        write_huggingface(definition, tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_a_difference_is_reported_and_nothing_is_left(
    byte_definition: Callable[..., BpeDefinition], tmp_path: Path
) -> None:
    def wrong(text: str) -> list[int]:
        return [0, *text.encode()]

    with pytest.raises(
        NlpkitError, match=r"does not agree with tokenizers .* gives \[0\] here and \[\] there"
    ):
        write_huggingface(byte_definition(), tmp_path / "hf", Check(wrong))
    assert not (tmp_path / "hf").exists()


def test_a_pattern_that_the_library_cannot_compile_is_one_sentence(
    byte_definition: Callable[..., BpeDefinition], tmp_path: Path
) -> None:
    odd = Tokenizer(**byte_definition(pat_str=r"\p{Horiz_Space}+|(?s:.)").arguments())
    with pytest.raises(NlpkitError, match=r"failed: tokenizers .* cannot load the tokenizer\.json"):
        odd.to_huggingface(tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def test_without_the_library_nothing_is_compared(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert tokenizer.to_huggingface(tmp_path / "hf") is None
    assert (tmp_path / "hf" / "tokenizer.json").is_file()


def test_other_files_in_the_folder_stay(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    tokenizer.to_huggingface(tmp_path)
    tokenizer.to_huggingface(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


def test_special_tokens_that_share_an_id_are_refused(
    byte_definition: Callable[..., BpeDefinition], tmp_path: Path
) -> None:
    definition = byte_definition(b"ab", **{"<|first|>": 300, "<|second|>": 300})
    with pytest.raises(NlpkitError, match=r"'<\|first\|>' and '<\|second\|>' share the id 300"):
        write_huggingface(definition, tmp_path / "hf")
