"""What callers of tiktoken rely on, under the same names; test_tokenizer.py compares the ids."""

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

import nlpkit
from nlpkit.errors import NlpkitError
from nlpkit.tokenization import Tokenizer, get_encoding, known

BYTES = {bytes([value]): value for value in range(256)}
PUBLIC = [name for name in dir(tiktoken.Encoding) if not name.startswith("_")]
USED_BY_CALLERS = ["_encode_bytes", "_encode_only_native_bpe", "_encode_single_piece"]


@pytest.mark.parametrize("name", [*PUBLIC, *USED_BY_CALLERS])
def test_every_method_of_tiktokens_is_there(name: str) -> None:
    assert hasattr(Tokenizer, name)


@pytest.mark.parametrize(
    "name", ["_mergeable_ranks", "_pat_str", "_special_tokens", "max_token_value", "name"]
)
def test_every_attribute_of_tiktokens_is_there(
    name: str, tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    assert getattr(tokenizer, name) == getattr(encoding, name)


def test_the_package_has_tiktokens_names_at_its_top() -> None:
    assert nlpkit.Encoding is nlpkit.Tokenizer is Tokenizer
    assert nlpkit.get_encoding is get_encoding
    assert "cl100k_base" in nlpkit.list_encoding_names()
    assert nlpkit.encoding_name_for_model("gpt-4o") == "o200k_base"
    assert set(dir(tiktoken)) - {"core", "load", "model", "registry", "_tiktoken"} <= {
        *nlpkit.__all__,
        *dir(nlpkit),
    }
    with pytest.raises(AttributeError, match="no attribute 'set_encoding'"):
        _ = nlpkit.set_encoding


def test_the_names_at_the_top_load_nothing_before_they_are_used() -> None:
    code = "import sys, nlpkit; assert 'nlpkit.tokenization' not in sys.modules; nlpkit.get_encoding"
    subprocess.run([sys.executable, "-c", code], check=True)


# ====================
# Tokens
# ====================


def test_every_token_goes_to_bytes_and_back(tokenizer: Tokenizer) -> None:
    for token in range(tokenizer.n_vocab):
        assert tokenizer.encode_single_token(tokenizer.decode_single_token_bytes(token)) == token


@pytest.mark.parametrize("unknown", ["no such token", b"\xff\xfe", "<|unknown|>"])
def test_an_unknown_token_is_a_key_error_that_names_it(unknown: str | bytes, tokenizer: Tokenizer) -> None:
    with pytest.raises(KeyError) as caught:
        tokenizer.encode_single_token(unknown)
    assert caught.value.args == (unknown,)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_offsets_of_any_valid_ids_equal_tiktokens(
    data: st.DataObject, tokenizer: Tokenizer, encoding: tiktoken.Encoding
) -> None:
    ids = data.draw(st.lists(st.integers(0, tokenizer.n_vocab - 1), max_size=12))
    ids = tokenizer.encode(tokenizer.decode(ids, errors="ignore"), allowed_special="all")
    assert tokenizer.decode_with_offsets(ids) == encoding.decode_with_offsets(ids)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=20), max_size=6))
def test_batches_equal_single_texts_and_come_back(texts: list[str], tokenizer: Tokenizer) -> None:
    batch = tokenizer.encode_batch(texts, allowed_special="all")
    assert batch == [tokenizer.encode(text, allowed_special="all") for text in texts]
    assert tokenizer.decode_batch(batch) == texts
    assert tokenizer.decode_batch(batch, errors="strict") == texts


@pytest.mark.parametrize("unit", ["^", "0", "a", "'s", " ", "\n"])
def test_repetitions_come_back(unit: str, tokenizer: Tokenizer) -> None:
    for text in (unit * 10_000, " " + unit * 10_000, " " + unit * 10_000 + "\n"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


# ====================
# Special tokens
# ====================


def test_an_id_of_two_special_tokens_decodes_to_the_first() -> None:
    """As 200018 of o200k_harmony; tiktoken leaves it to the order of a hash map."""
    tokenizer = Tokenizer(
        "x", pat_str="cl100k", mergeable_ranks=BYTES, special_tokens={"<a>": 300, "<b>": 300}
    )
    assert tokenizer.encode("<b><a>", allowed_special="all") == [300, 300]
    assert tokenizer.decode([300]) == "<a>"
    assert tokenizer.encode_single_token("<b>") == 300
    assert tokenizer.is_special_token(300)
    assert tokenizer.encode("<b>", allowed_special={"<b>"}, disallowed_special=()) == [300]


def test_the_empty_text_cannot_be_disallowed(tokenizer: Tokenizer) -> None:
    with pytest.raises(NlpkitError, match="has the empty text, which every text holds"):
        tokenizer.encode("a", disallowed_special={""})


# ====================
# Wrong types and numbers
# ====================


@pytest.mark.parametrize("pat_str", ["cl100k", r"(?s:.)"])
@pytest.mark.parametrize("text", [None, 5, b"bytes", ["a"]])
def test_what_is_no_text_is_a_type_error(text: object, pat_str: str) -> None:
    tokenizer = Tokenizer("x", pat_str=pat_str, mergeable_ranks=BYTES, special_tokens={})
    encoders: list[Callable[..., object]] = [
        tokenizer.encode,
        tokenizer.encode_ordinary,
        tokenizer.encode_to_numpy,
        tokenizer.count,
        tokenizer.encode_with_unstable,
        lambda value: tokenizer.encode_ordinary_batch([value]),
        lambda value: tokenizer.encode_documents([value]),
    ]
    for encode in encoders:
        with pytest.raises(TypeError, match=r"expected str|incompatible function arguments"):
            encode(text)


@pytest.mark.parametrize(("token", "named"), [(-1, "-1"), (2**32, str(2**32)), (2**80, "64 bits")])
def test_ids_outside_32_bits_are_overflow_errors_that_name_them(
    token: int, named: str, tokenizer: Tokenizer
) -> None:
    decoders: list[Callable[[int], object]] = [
        lambda value: tokenizer.decode([value]),
        lambda value: tokenizer.decode_bytes([value]),
        lambda value: tokenizer.decode_tokens_bytes([value]),
        lambda value: tokenizer.decode_batch([[value]]),
        tokenizer.decode_single_token_bytes,
    ]
    for decode in decoders:
        with pytest.raises(OverflowError, match=named):
            decode(token)


def test_ids_may_be_numpy_numbers(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_to_numpy("hello there")
    assert tokenizer.decode(list(ids)) == tokenizer.decode(tuple(ids)) == "hello there"
    assert tokenizer.decode_single_token_bytes(np.int64(int(ids[0]))) == tokenizer.decode_bytes(ids[:1])  # type: ignore[arg-type]


def test_nul_is_a_character_like_others(tokenizer: Tokenizer, encoding: tiktoken.Encoding) -> None:
    text = "a\x00b\x00\x00 \x00"
    assert tokenizer.encode(text) == encoding.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


# ====================
# Copies, pickles, threads and forks
# ====================


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tokenizer:
    """A vocabulary that `get_encoding` knows: the 256 bytes under r50k's name."""
    import base64
    import hashlib

    content = b"".join(b"%b %d\n" % (base64.b64encode(token), rank) for token, rank in BYTES.items())
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path))
    monkeypatch.setitem(known._SHA256, "r50k_base.tiktoken", hashlib.sha256(content).hexdigest())
    (tmp_path / "vocabularies").mkdir()
    (tmp_path / "vocabularies" / "r50k_base.tiktoken").write_bytes(content)
    return get_encoding("r50k_base")


def test_pickles_of_published_vocabularies_hold_the_name(published: Tokenizer, tokenizer: Tokenizer) -> None:
    by_name = pickle.dumps(published)
    assert len(by_name) < 500
    assert pickle.loads(by_name) is published
    by_content = pickle.dumps(tokenizer)
    assert len(by_content) > 10_000
    other = pickle.loads(by_content)
    assert other is not tokenizer
    assert other.fingerprint == tokenizer.fingerprint


def test_a_vocabulary_made_of_a_published_one_is_pickled_by_content(published: Tokenizer) -> None:
    changed = Tokenizer(
        published.name,
        pat_str=published._pat_str,
        mergeable_ranks=published._mergeable_ranks,
        special_tokens={"<|pickle|>": 100_000},
    )
    for other in (pickle.loads(pickle.dumps(changed)), copy.copy(changed), copy.deepcopy(changed)):
        assert other.encode("<|pickle|>", allowed_special="all") == [100_000]


def encode_in_child(tokenizer: Tokenizer, text: str) -> bytes:
    return tokenizer.encode_documents([text] * 50, threads=2).ids.tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12: threads were running
def test_a_forked_child_encodes_while_its_parent_did(tokenizer: Tokenizer, sample_texts: list[str]) -> None:
    text = sample_texts[0]
    stop = threading.Event()

    def encode_on() -> None:
        while not stop.is_set():
            tokenizer.encode_documents([text] * 50, threads=2)

    busy = threading.Thread(target=encode_on)
    busy.start()
    try:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            results = pool.starmap_async(encode_in_child, [(tokenizer, text)] * 8).get(timeout=60)
    finally:
        stop.set()
        busy.join()
    assert set(results) == {encode_in_child(tokenizer, text)}
