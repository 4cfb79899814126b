"""What general compressors make of the held-out text: the figures to put beside a language model's."""

import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text import TokenShards

if TYPE_CHECKING:
    from nlpkit.tokenization import Vocabulary

_GZIP_CONTAINER = 31  # zlib's wbits: the largest window, with gzip's header and trailer


def compressed_bits_per_byte(shards: Path, *, progress: ProgressCallback = no_progress) -> dict[str, float]:
    """Bits that `gzip -9` and `xz -9` take for a byte of the validation split, its documents end to end.

    Args:
        shards: a folder of `encode_corpus` with a validation split.
        progress: called as ("compress", bytes, bytes in all).
    """
    compressors: dict[str, Any] = {
        "gzip -9": zlib.compressobj(9, zlib.DEFLATED, _GZIP_CONTAINER),
        "xz -9": lzma.LZMACompressor(preset=9),
    }
    sizes = dict.fromkeys(compressors, 0)
    total = TokenShards(shards / "validation").index.text_bytes
    done = 0
    for text in held_out_texts(shards):
        for name, compressor in compressors.items():
            sizes[name] += len(compressor.compress(text))
        done += len(text)
        progress("compress", done, total)
    for name, compressor in compressors.items():
        sizes[name] += len(compressor.flush())
    return {name: 8 * count / max(1, done) for name, count in sizes.items()}


def held_out_texts(shards: Path) -> Iterator[bytes]:
    """The text of each document of the validation split, decoded from its ids."""
    from nlpkit.tokenization import load_vocabulary

    vocabulary = load_vocabulary(shards / "vocabulary")
    split = TokenShards(shards / "validation", fingerprint=vocabulary.fingerprint)
    table = token_texts(vocabulary)
    for index in range(split.index.documents):
        yield b"".join([table[token] for token in split.document(index).tolist()])


def token_texts(vocabulary: "Vocabulary") -> list[bytes]:
    """The bytes of text that each id stands for: none for those that mark something."""
    return [
        b"" if vocabulary.is_special_token(token) else vocabulary.decode_single_token_bytes(token)
        for token in range(vocabulary.n_vocab)
    ]
