"""How well a model predicts a whole split: nats per token, perplexity, bits per byte.

Every token of the split is charged once. The first one is predicted from the document-end token, as at any
other document's beginning; where the vocabulary has none, it is charged the logarithm of the vocabulary's
size. Bits per byte are the total charge over the bytes of the split's text, so models with different
vocabularies compare, and with compressors.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nlpkit.errors import UsageError
from nlpkit.lm.model import LanguageModel
from nlpkit.lm.recurrent import RecurrentLM, join
from nlpkit.lm.run import load_run
from nlpkit.lm.transformer import Transformer
from nlpkit.progress import ProgressCallback, no_progress
from nlpkit.text.shards import TokenShards
from nlpkit.training.permutation import Int64s

BATCH_TOKENS = 4096
"""Tokens evaluated at once; bounds the memory, does not change the result beyond rounding."""

LANES = 16
"""Parts of the text that a recurrent model reads side by side, each after a warm-up."""


@dataclass(frozen=True)
class Evaluation:
    """A model's figures on one split."""

    tokens: int
    text_bytes: int
    nats: float
    """The total charge."""
    nats_per_token: float
    perplexity: float
    bits_per_byte: float
    context_length: int
    """Of the windows, or of a recurrent model's warm-up."""
    stride: int
    """Tokens from one window to the next; each window charges only what the one before did not."""
    protocol: str
    """What a token is predicted from, in words."""


def evaluate_lm(
    run: Path,
    shards: Path,
    *,
    split: str = "validation",
    stride: int | None = None,
    progress: ProgressCallback = no_progress,
) -> Evaluation:
    """Evaluate a run's model on a whole split of an encoded corpus; always the same result.

    Example:
        >>> evaluate_lm(Path("runs/lm"), Path("shards")).bits_per_byte  # doctest: +SKIP
        1.62

    Args:
        run: a folder that `train_lm` wrote.
        shards: a folder that `encode_corpus` wrote with the same vocabulary.
        split: validation or train.
        stride: see `evaluate_model`.
        progress: called as ("evaluate", tokens done, tokens).

    Raises:
        VocabularyMismatchError: the shards were made with another vocabulary.
        UsageError: the split is empty or not there, or the stride is out of range.
    """
    loaded = load_run(run)
    data = TokenShards(shards / split, fingerprint=loaded.config.fingerprint)
    return evaluate_model(
        loaded.model, data, document_end=loaded.vocabulary.document_end, stride=stride, progress=progress
    )


@torch.no_grad()
def evaluate_model(
    model: LanguageModel,
    shards: TokenShards,
    *,
    document_end: int | None,
    stride: int | None = None,
    progress: ProgressCallback = no_progress,
) -> Evaluation:
    """Evaluate `model` on all tokens of `shards`.

    Args:
        model: left in evaluation mode.
        shards: the split.
        document_end: the token that ends documents, None when there is none.
        stride: tokens from one window of a Transformer to the next, by default its context length (windows
            that do not overlap). A smaller one gives each token at least context - stride tokens to look
            back on and costs context / stride times as much. Recurrent models carry their state: no stride.
        progress: called as ("evaluate", tokens done, tokens).

    Raises:
        UsageError: the split is empty, or the stride is out of range.
    """
    if not len(shards) or not shards.index.text_bytes:
        raise UsageError(
            f"{shards.folder} holds no text: encode the corpus with a larger --validation or --split tail."
        )
    model.eval()
    text = _Text(shards, document_end)
    if isinstance(model, Transformer):
        context = model.config.context_length
        stride = context if stride is None else stride
        if not 1 <= stride <= context:
            raise UsageError(f"stride is {stride}: it must lie in 1 to the context length, {context}.")
        charges = _window_charges(model, text, stride)
        protocol = f"windows of {context} tokens, {stride} apart"
    else:
        if stride is not None:
            raise UsageError("a recurrent model carries its state through the text: it takes no stride.")
        context = stride = model.config.context_length
        lanes = _lanes(text, context)
        charges = _stream_charges(model, text, lanes)
        protocol = "state carried from the first token to the last"
        if lanes > 1:
            protocol = f"state carried, {lanes} lanes, each but the first after {context} tokens of warm-up"
    nats, done = text.first_charge(shards.index.n_vocab), 0
    for charge, count in charges:
        nats, done = nats + charge, done + count
        progress("evaluate", done, text.length)
    return _evaluation(shards, nats, context, stride, protocol)


def _evaluation(shards: TokenShards, nats: float, context: int, stride: int, protocol: str) -> Evaluation:
    tokens, text_bytes = len(shards), shards.index.text_bytes
    return Evaluation(
        tokens=tokens,
        text_bytes=text_bytes,
        nats=nats,
        nats_per_token=nats / tokens,
        perplexity=math.exp(min(700.0, nats / tokens)),  # e^700 is near the largest double
        bits_per_byte=nats / math.log(2) / text_bytes,
        context_length=context,
        stride=stride,
        protocol=protocol,
    )


class _Text:
    """A split as a sequence of (input, target): each token after the one before it."""

    def __init__(self, shards: TokenShards, document_end: int | None) -> None:
        self._shards = shards
        self._document_end = document_end
        self.length = len(shards) - (document_end is None)

    def first_charge(self, n_vocab: int) -> float:
        """What the first token costs when nothing comes before it."""
        return math.log(n_vocab) if self._document_end is None else 0.0

    def read(self, start: int, stop: int) -> tuple[Int64s, Int64s]:
        """Inputs and targets `start:stop`."""
        if self._document_end is None:
            ids = self._shards.read(start, stop + 1).astype(np.int64)
        elif start == 0:
            ids = np.concatenate(([self._document_end], self._shards.read(0, stop))).astype(np.int64)
        else:
            ids = self._shards.read(start - 1, stop).astype(np.int64)
        return ids[:-1], ids[1:]

    def rows(self, starts: list[int], length: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets from each start on, (rows, length) each, on the device of `like`."""
        pairs = [self.read(start, start + length) for start in starts]
        inputs, targets = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
        return inputs.to(like.device), targets.to(like.device)


def _charges(nll: Tensor) -> Tensor:
    """In double precision, to be added up on the CPU: MPS has none."""
    return nll.cpu().double()


def _window_charges(model: Transformer, text: _Text, stride: int) -> Iterator[tuple[float, int]]:
    """The charge and number of the tokens of each batch of windows."""
    context, like = model.config.context_length, model.embedding.weight
    whole = list(range(0, text.length - context + 1, stride))
    rows = max(1, BATCH_TOKENS // context)
    for begin in range(0, len(whole), rows):
        starts = whole[begin : begin + rows]
        inputs, targets = text.rows(starts, context, like)
        nll = _charges(model(inputs, targets=targets)[0])
        fresh = nll[:, context - stride :]
        earlier = nll[0, : context - stride] if starts[0] == 0 else nll[0, :0]
        yield fresh.sum().item() + earlier.sum().item(), fresh.numel() + earlier.numel()
    done = whole[-1] + context if whole else 0
    if done < text.length:
        start = max(0, done - (context - stride)) if whole else 0
        inputs, targets = text.rows([start], text.length - start, like)
        fresh = _charges(model(inputs, targets=targets)[0])[0, done - start :]
        yield fresh.sum().item(), fresh.numel()


def _lanes(text: _Text, warmup: int) -> int:
    """As many lanes as are longer than their warm-up."""
    return max(1, min(LANES, text.length // (warmup + 1)))


def _stream_charges(model: RecurrentLM, text: _Text, lanes: int) -> Iterator[tuple[float, int]]:
    """The charge and number of the tokens of each step of all lanes."""
    context, like = model.config.context_length, model.embedding.weight
    lane = max(1, -(-text.length // lanes))
    starts = list(range(0, text.length, lane))
    state = model.initial_state(1)
    if len(starts) > 1:
        inputs, _ = text.rows([start - context for start in starts[1:]], context, like)
        _, warm = model(inputs, targets=inputs)
        state = join([state, warm])
    for offset in range(0, lane, context):
        length = min(context, lane - offset)
        # The last lane may be shorter: it drops out once it has ended.
        left = min(length, text.length - starts[-1] - offset) if starts else 0
        if left < length:
            if left > 0:
                tail = tuple(part[:, -1:].contiguous() for part in state)
                inputs, targets = text.rows([starts[-1] + offset], left, like)
                nll = _charges(model(inputs, tail, targets)[0])
                yield nll.sum().item(), nll.numel()
            starts = starts[:-1]
            state = tuple(part[:, :-1].contiguous() for part in state)
        if starts:
            inputs, targets = text.rows([start + offset for start in starts], length, like)
            nll, state = model(inputs, state, targets)
            yield _charges(nll).sum().item(), nll.numel()
