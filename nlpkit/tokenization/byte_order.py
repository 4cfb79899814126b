"""The order in which single bytes take the ids 0 to 255 in byte-level vocabularies."""


def _is_printable(byte: int) -> bool:
    return 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174


GPT2_BYTE_ORDER: tuple[bytes, ...] = tuple(
    bytes([byte]) for byte in sorted(range(256), key=lambda byte: (not _is_printable(byte), byte))
)
"""GPT-2's order (openai/gpt-2, encoder.py): the bytes that Latin-1 prints first, then the others.

Every vocabulary of OpenAI's keeps it, and Hugging Face's byte-level trainers give ids in it, so ties between
equally frequent pairs fall the same way.
"""
