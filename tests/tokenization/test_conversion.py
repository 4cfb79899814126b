"""Vocabularies are recognised in every form, and written in those of other libraries."""

import gzip
import sys
from pathlib import Path

import pytest

from nlpkit.errors import CorruptFileError, NlpkitError, UsageError
from nlpkit.tokenization import Tokenizer, WordVocabulary
from nlpkit.tokenization.conversion import EXPORTS, export_vocabulary, open_vocabulary


@pytest.fixture(scope="module")
def gpt2_like(sample_texts: list[str]) -> Tokenizer:
    return Tokenizer.train(sample_texts, vocab_size=1000, pattern="gpt2", name="rivers")


@pytest.fixture
def forms(gpt2_like: Tokenizer, tmp_path: Path) -> Path:
    """One vocabulary in every form."""
    for form in EXPORTS:
        agreement = export_vocabulary(gpt2_like, form, tmp_path / form, texts=["Rivers and bread"])
        assert agreement is not None
        assert agreement.texts == 2001
    gpt2_like.save(tmp_path / "nlpkit")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("nlpkit", "nlpkit"),
        ("huggingface", "huggingface"),
        ("huggingface/tokenizer.json", "huggingface"),
        ("gpt2", "gpt2"),
    ],
)
def test_each_form_is_recognised(path: str, form: str, forms: Path, gpt2_like: Tokenizer) -> None:
    opened = open_vocabulary(forms / path)
    assert opened.format == form
    assert opened.vocabulary.fingerprint == gpt2_like.fingerprint
    assert (opened.agreement is None) == (form == "nlpkit")


def test_rank_files_take_a_pattern_and_special_tokens(forms: Path, gpt2_like: Tokenizer) -> None:
    ranks = forms / "tiktoken" / "tiktoken_ext" / "rivers.tiktoken"
    opened = open_vocabulary(ranks, pattern="gpt2", special_tokens=["<|endoftext|>"])
    assert opened.vocabulary.fingerprint == gpt2_like.fingerprint
    given = ["<a>", "<b>=1200", "<c>", "x=y", "=5"]
    vocabulary = open_vocabulary(ranks, pattern="gpt2", special_tokens=given).vocabulary
    assert isinstance(vocabulary, Tokenizer)
    assert vocabulary._special_tokens == {"<a>": 999, "<b>": 1200, "<c>": 1201, "x=y": 1202, "=5": 1203}
    with pytest.raises(UsageError, match="has ranks only: say which pattern"):
        open_vocabulary(ranks)
    with pytest.raises(UsageError, match="'<a>' is given twice"):
        open_vocabulary(ranks, pattern="gpt2", special_tokens=["<a>", "<a>=7000"])
    with pytest.raises(NlpkitError, match="id 5 stands for two tokens"):
        open_vocabulary(ranks, pattern="gpt2", special_tokens=["<a>=5"])


def test_published_vocabularies_by_name_and_by_file(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    folder = tmp_path / "vocabularies"
    folder.mkdir()
    file = folder / "p50k_base.tiktoken"
    file.write_bytes(gzip.decompress((real_data / "text" / "vocab" / f"{file.name}.gz").read_bytes()))
    assert open_vocabulary("p50k_edit").vocabulary.encode_ordinary("hello") == [31373]
    opened = open_vocabulary(file)
    assert opened.format == "published"
    assert opened.vocabulary.document_end == 50256
    (tmp_path / file.name).write_bytes(b"")
    with pytest.raises(CorruptFileError, match=r"is not the published p50k_base\.tiktoken"):
        open_vocabulary(tmp_path / file.name)


def test_what_is_not_there_or_not_a_vocabulary_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothere does not exist, .* use one of gpt2, r50k_base"):
        open_vocabulary("nothere")
    with pytest.raises(UsageError, match=r"holds no vocabulary that nlpkit knows: none of nlpkit\.json"):
        open_vocabulary(tmp_path)
    (tmp_path / "package.json").write_text("{}")
    with pytest.raises(UsageError, match=r"package\.json is no tokenizer\.json"):
        open_vocabulary(tmp_path / "package.json")


def test_a_pattern_for_what_has_its_own_is_refused(forms: Path) -> None:
    for given in (forms / "nlpkit", forms / "huggingface", forms / "gpt2", "cl100k_base"):
        with pytest.raises(UsageError, match="says its own pattern and special tokens"):
            open_vocabulary(given, pattern="gpt2")


def test_only_known_formats_and_byte_level_bpe_are_exported(gpt2_like: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'onnx': use huggingface, tiktoken, gpt2"):
        export_vocabulary(gpt2_like, "onnx", tmp_path)
    words = WordVocabulary.train(["a b"], min_count=1)
    with pytest.raises(NlpkitError, match="a vocabulary of words has no form in other libraries"):
        export_vocabulary(words, "huggingface", tmp_path)


def test_without_the_library_imports_are_not_compared(forms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert open_vocabulary(forms / "gpt2").agreement is None
    assert open_vocabulary(forms / "huggingface").agreement is None


def test_other_forms_are_compared_with_tiktoken_where_texts_are_given(forms: Path) -> None:
    agreement = open_vocabulary(forms / "nlpkit", texts=["Rivers", "bread"]).agreement
    assert agreement is not None
    assert agreement.peer.startswith("tiktoken ")
    assert agreement.texts == 2002
    WordVocabulary.train(["a b"], min_count=1).save(forms / "words")
    with pytest.raises(UsageError, match="a vocabulary of words has nothing to be compared with"):
        open_vocabulary(forms / "words", texts=["a"])
