"""Writing text: one token after another, drawn from what the model predicts."""

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from nlpkit.errors import UsageError
from nlpkit.lm.layers import KeyValueCache
from nlpkit.lm.model import LanguageModel
from nlpkit.lm.run import LoadedRun, load_run
from nlpkit.lm.transformer import Transformer
from nlpkit.tokenization import Vocabulary, WordVocabulary


def generate(
    run: Path | LoadedRun,
    prompt: str = "",
    *,
    max_tokens: int = 200,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 1,
) -> Iterator[str]:
    """Continue `prompt`; yield the text in pieces, each made of whole characters.

    Ends after `max_tokens` or when the model ends the document. The same seed writes the same text.

    Example:
        >>> print("".join(generate(Path("runs/lm"), "The")))  # doctest: +SKIP

    Args:
        run: a run folder, or what `load_run` gave.
        prompt: what to continue; empty begins a document.
        max_tokens: at most so many are drawn.
        temperature: divides the logits; 0 takes the likeliest token always.
        top_k: draw from the k likeliest tokens only; 0: from all.
        top_p: draw from the smallest set of likeliest tokens with this probability (Holtzman et al., 2020).
        seed: of the draws.

    Raises:
        UsageError: an argument is out of range, or the prompt is empty and the vocabulary ends no documents.
    """
    _check_options(max_tokens, temperature, top_k, top_p)
    loaded = run if isinstance(run, LoadedRun) else load_run(run)
    vocabulary = loaded.vocabulary
    end = vocabulary.document_end
    ids = ([] if end is None else [end]) + vocabulary.encode_ordinary(prompt)
    if not ids:
        raise UsageError("the vocabulary has no document end to begin from: give a prompt.")
    tokens = generate_tokens(
        loaded.model,
        ids,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        unused=_unused_ids(vocabulary),
    )
    return _text_pieces(tokens, vocabulary, after=bool(prompt))


@torch.no_grad()
def generate_tokens(
    model: LanguageModel,
    ids: Sequence[int],
    *,
    max_tokens: int,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 1,
    unused: Sequence[int] = (),
) -> Iterator[int]:
    """The tokens that continue `ids` (at least one); each is computed from the state of those before it.

    Where a Transformer's context is full, it goes on from the last half of it. `unused` ids are not drawn.
    """
    model.eval()
    device = model.embedding.weight.device
    generator = torch.Generator().manual_seed(seed)
    text = list(ids)
    context = model.config.context_length if isinstance(model, Transformer) else None
    fresh, state = text if context is None else text[-context:], model.initial_state(1)
    for _ in range(max_tokens):
        if context is not None and isinstance(state, KeyValueCache) and state.length + len(fresh) > context:
            fresh, state = text[-max(1, context // 2) :], model.initial_state(1)
        logits, state = model(torch.tensor([fresh], device=device), state)
        scores = logits[0, -1].float().cpu()
        scores[list(unused)] = -torch.inf
        token = draw(scores, temperature, top_k, top_p, generator)
        text.append(token)
        fresh = [token]
        yield token


def draw(logits: Tensor, temperature: float, top_k: int, top_p: float, generator: torch.Generator) -> int:
    """One id of logits (V,)."""
    if temperature == 0:
        return int(logits.argmax())
    kept = logits.numel() if top_k == 0 else min(top_k, logits.numel())
    values, ids = torch.topk(logits / temperature, kept)  # likeliest first
    probabilities = torch.softmax(values, dim=-1)
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)  # the first one always stays
    return int(ids[torch.multinomial(probabilities, 1, generator=generator)])


def _unused_ids(vocabulary: Vocabulary) -> list[int]:
    """The ids that stand for nothing: a vocabulary may have gaps before its special tokens."""
    unused = []
    for token in range(vocabulary.n_vocab):
        try:
            vocabulary.decode_single_token_bytes(token)
        except KeyError:
            unused.append(token)
    return unused


def _text_pieces(tokens: Iterator[int], vocabulary: Vocabulary, *, after: bool) -> Iterator[str]:
    """The text of `tokens` up to the document's end; bytes wait until their character is whole.

    Args:
        tokens: the ids.
        vocabulary: theirs.
        after: whether something stands before the first of them.
    """
    words = isinstance(vocabulary, WordVocabulary) and vocabulary.unit == "word"
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for token in tokens:
        if token == vocabulary.document_end:
            break
        space = b" " if words and after else b""
        after = True
        if piece := decoder.decode(space + vocabulary.decode_single_token_bytes(token)):
            yield piece
    if rest := decoder.decode(b"", final=True):
        yield rest


def _check_options(max_tokens: int, temperature: float, top_k: int, top_p: float) -> None:
    if max_tokens < 0:
        raise UsageError(f"max_tokens is {max_tokens}: it must not be negative.")
    if not 0 <= temperature < float("inf"):
        raise UsageError(f"temperature is {temperature}: it must be 0 or above.")
    if top_k < 0:
        raise UsageError(f"top_k is {top_k}: it must be 0 (all tokens) or above.")
    if not 0 < top_p <= 1:
        raise UsageError(f"top_p is {top_p}: it must lie in (0, 1].")
