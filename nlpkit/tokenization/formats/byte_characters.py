"""GPT-2's alphabet: each byte as one printable character, so that tokens of any bytes can stand in JSON.

Printable Latin-1 bytes are written as themselves, the other 68 as the characters from U+0100 on; so a space
is Ġ and a newline Ċ (openai/gpt-2, encoder.py: `bytes_to_unicode`).
"""

from nlpkit.tokenization.byte_order import GPT2_BYTE_ORDER

_PRINTABLE = 188  # of GPT2_BYTE_ORDER, the bytes that stand for themselves

_CHARACTERS = {
    byte[0]: chr(byte[0]) if place < _PRINTABLE else chr(256 + place - _PRINTABLE)
    for place, byte in enumerate(GPT2_BYTE_ORDER)
}
_BYTES = {character: byte for byte, character in _CHARACTERS.items()}
_LATIN_1 = str.maketrans({chr(byte): character for byte, character in _CHARACTERS.items()})


def to_characters(token: bytes) -> str:
    """The bytes of a token, a character each.

    >>> to_characters(b" the\\n")
    'ĠtheĊ'
    """
    return token.decode("latin-1").translate(_LATIN_1)


def to_bytes(text: str) -> bytes:
    """The bytes that `text` stands for.

    >>> to_bytes("ĠtheĊ")
    b' the\\n'

    Raises:
        KeyError: a character is not of this alphabet; names it.
    """
    return bytes([_BYTES[character] for character in text])
