"""Published vocabularies by name, and the way to tiktoken and back."""

import gzip
from pathlib import Path

import pytest
import tiktoken
import tiktoken.load

from nlpkit.errors import CorruptFileError, UsageError
from nlpkit.tokenization import (
    Tokenizer,
    encoding_for_model,
    encoding_name_for_model,
    get_encoding,
    list_encoding_names,
)
from nlpkit.tokenization.known import _KNOWN, _SHA256
from nlpkit.tokenization.patterns import pattern_string
from tiktoken_ext import openai_public


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


def test_models_have_tiktokens_encodings() -> None:
    beginnings = [*tiktoken.model.MODEL_TO_ENCODING, *tiktoken.model.MODEL_PREFIX_TO_ENCODING]
    for beginning in beginnings:
        for name in (
            beginning,
            beginning[:-1],
            f"{beginning}-2026",
            f"{beginning}2026",
            f"ft:{beginning}:me",
        ):
            try:
                expected = tiktoken.encoding_name_for_model(name)
            except KeyError:
                with pytest.raises(KeyError, match="no vocabulary is known for the model"):
                    encoding_name_for_model(name)
            else:
                assert encoding_name_for_model(name) == expected, name


def test_a_models_vocabulary(published: Path) -> None:
    assert encoding_for_model("gpt-4o-2024-05-13", folder=published).name == "o200k_base"


@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"])
def test_tiktokens_cache_is_used_where_ours_lacks_the_file(
    variable: str, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "ours"))
    monkeypatch.setenv(variable, str(tmp_path / "theirs"))
    (tmp_path / "theirs").mkdir()
    content = (published / "p50k_base.tiktoken").read_bytes()
    # as tiktoken itself names it
    monkeypatch.setattr(tiktoken.load, "read_file", lambda _: content)
    openai_public.p50k_base()
    assert get_encoding("p50k_base").encode("hello") == [31373]
    (file,) = (tmp_path / "theirs").iterdir()
    file.write_bytes(content[:-1])
    with pytest.raises(CorruptFileError, match=r"is not the published p50k_base\.tiktoken"):
        get_encoding("p50k_edit")
