"""What a language model is made of, as frozen values; the closed set of model kinds."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from nlpkit.errors import UsageError

Block: TypeAlias = Literal["gpt2", "llama", "modern"]
Cell: TypeAlias = Literal["rnn", "lstm", "gru"]


@dataclass(frozen=True)
class TransformerConfig:
    """A decoder-only Transformer."""

    n_vocab: int
    """Ids of the vocabulary."""
    context_length: int = 256
    """Tokens that the model sees at once, at most."""
    block: Block = "modern"
    """What the blocks are made of; see `transformer.py`."""
    n_layer: int = 4
    n_head: int = 4
    n_kv_head: int = 0
    """Heads of keys and values, each shared by n_head / n_kv_head heads of queries; 0: as many as n_head."""
    n_embd: int = 256
    """Width; each head has n_embd / n_head of it."""
    n_hidden: int = 0
    """Width inside the feed-forward layers; 0: 4 n_embd, and for llama 8/3 of it in multiples of 8."""
    norm_eps: float = 1e-5
    """Added to the variance in norms (as GPT-2 and Llama 2)."""
    rope_base: float = 10_000.0
    """Of rotary positions (Su et al., 2021, section 3.3)."""
    dropout: float = 0.0
    """On the embeddings, the attention weights and what each half of a block adds (as GPT-2)."""
    tied: bool = True
    """Whether the output layer shares the embedding's weights."""
    softcap: float = 0.0
    """Bound of the logits, c · tanh(z / c); 0: none."""

    def __post_init__(self) -> None:
        _check_sizes(self.n_vocab, self.n_layer, self.n_embd, self.context_length, self.dropout)
        if self.n_head < 1 or self.n_embd % self.n_head:
            raise UsageError(
                f"n_head {self.n_head} does not divide n_embd {self.n_embd}: choose a width that is a "
                "multiple of the heads."
            )
        if self.n_kv_head < 0 or self.n_head % self.kv_heads:
            raise UsageError(f"n_kv_head {self.n_kv_head} does not divide n_head {self.n_head}.")
        if self.block != "gpt2" and self.head_width % 2:
            raise UsageError(
                f"n_embd {self.n_embd} / n_head {self.n_head} is odd: rotary positions turn pairs, so a "
                "head's width must be even."
            )
        if self.n_hidden < 0:
            raise UsageError(f"n_hidden is {self.n_hidden}: it must not be negative.")
        if self.softcap < 0:
            raise UsageError(f"softcap is {self.softcap}: it must not be negative.")

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values."""
        return self.n_kv_head or self.n_head

    @property
    def head_width(self) -> int:
        """Width of a head."""
        return self.n_embd // self.n_head

    @property
    def hidden_width(self) -> int:
        """Width inside the feed-forward layers."""
        if self.n_hidden:
            return self.n_hidden
        return 4 * self.n_embd if self.block != "llama" else 8 * -(-self.n_embd // 3)


@dataclass(frozen=True)
class RecurrentConfig:
    """A stack of recurrent layers of one width."""

    n_vocab: int
    """Ids of the vocabulary."""
    context_length: int = 64
    """Tokens through which the gradient flows back; the state itself carries on."""
    cell: Cell = "lstm"
    n_layer: int = 2
    n_embd: int = 256
    """Width of the embedding and of the last layer's output."""
    n_hidden: int = 0
    """Width of the other layers; 0: n_embd."""
    dropout: float = 0.0
    """On the embeddings and on each layer's output (Zaremba et al., 2014)."""
    variational: bool = False
    """Whether that drops the same places at all times of a row (Gal and Ghahramani, 2016)."""
    word_dropout: float = 0.0
    """Share of the vocabulary whose embeddings are dropped in a step (Gal and Ghahramani, 2016)."""
    weight_dropout: float = 0.0
    """On the weights from a layer's state to its next one (Merity et al., 2018, AWD-LSTM)."""
    tied: bool = True
    """Whether the output layer shares the embedding's weights."""

    def __post_init__(self) -> None:
        _check_sizes(self.n_vocab, self.n_layer, self.n_embd, self.context_length, self.dropout)
        for name in ("word_dropout", "weight_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: it must lie in [0, 1).")
        if self.n_hidden < 0:
            raise UsageError(f"n_hidden is {self.n_hidden}: it must not be negative.")

    @property
    def widths(self) -> list[int]:
        """Width of the embedding and of each layer's output, n_layer + 1 in all."""
        inner = [self.n_hidden or self.n_embd] * (self.n_layer - 1)
        return [self.n_embd, *inner, self.n_embd]


ModelConfig: TypeAlias = TransformerConfig | RecurrentConfig


def _check_sizes(n_vocab: int, n_layer: int, n_embd: int, context_length: int, dropout: float) -> None:
    sizes = {"n_vocab": n_vocab, "n_layer": n_layer, "n_embd": n_embd, "context_length": context_length}
    for name, value in sizes.items():
        if value < 1:
            raise UsageError(f"{name} is {value}: it must be at least 1.")
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is {dropout}: it must lie in [0, 1).")
