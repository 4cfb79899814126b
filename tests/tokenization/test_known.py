"""Published vocabularies by name, and the way to tiktoken and back."""

import gzip
from pathlib import Path

import pytest
from tiktoken_ext import openai_public

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.tokenization import Tokenizer, get_encoding, list_encoding_names
from nlpkit.tokenization.known import _KNOWN, _SHA256
from nlpkit.tokenization.patterns import pattern_string


@pytest.fixture(scope="module")
def published(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published files, unpacked."""
    folder = tmp_path_factory.mktemp("published")
    for name in _SHA256:
        packed = real_data / "text" / "vocab" / f"{name}.gz"
        (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


def test_names_patterns_and_special_tokens_are_tiktokens(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes: list[str] = []

    def no_file(url: str, expected_hash: str) -> dict[bytes, int]:
        hashes.append(f"{url.rpartition('/')[2]} {expected_hash}")
        return {}

    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", no_file)
    monkeypatch.setattr(openai_public, "data_gym_to_mergeable_bpe_ranks", lambda **_: {})
    assert set(list_encoding_names()) == set(openai_public.ENCODING_CONSTRUCTORS)
    for name in list_encoding_names():
        theirs = openai_public.ENCODING_CONSTRUCTORS[name]()
        assert pattern_string(_KNOWN[name].pattern) == theirs["pat_str"]
        assert _KNOWN[name].special_tokens == theirs["special_tokens"]
    assert set(hashes) == {f"{name} {digest}" for name, digest in _SHA256.items()}


@pytest.mark.parametrize("name", list_encoding_names())
def test_published_vocabularies_load_from_a_folder(name: str, published: Path) -> None:
    tokenizer = get_encoding(name, folder=published)
    assert tokenizer.name == name
    assert tokenizer is get_encoding(name, folder=published)
    text = "hello <|endoftext|> 中文"
    assert tokenizer.encode(text, allowed_special="all") == tokenizer.to_tiktoken().encode(
        text, allowed_special="all"
    )


def test_a_missing_file_says_where_it_comes_from_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"get https://.*/cl100k_base\.tiktoken and put it at") as caught:
        get_encoding("cl100k_base")
    assert str(tmp_path / "vocabularies" / "cl100k_base.tiktoken") in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"YQ== 0\n"])
def test_a_file_with_another_checksum_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "r50k_base.tiktoken").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"is not the published r50k_base\.tiktoken"):
        get_encoding("gpt2", folder=tmp_path)


def test_an_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no encoding is named 'cl100k': use one of gpt2, r50k_base"):
        get_encoding("cl100k")


def test_the_way_to_tiktoken_and_back_keeps_all(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    encoding = tokenizer.to_tiktoken()
    assert Tokenizer.from_tiktoken(encoding).fingerprint == tokenizer.fingerprint
    for text in sample_texts:
        assert encoding.encode(text) == tokenizer.encode(text)
