"""Every kind of model: one interface, causal, the same answer whole and in pieces."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from nlpkit.errors import UsageError
from nlpkit.lm.config import RecurrentConfig, TransformerConfig
from nlpkit.lm.layers import rotary_angles, rotate
from nlpkit.lm.model import LanguageModel, build_model, count_parameters, model_fields, model_from_fields
from nlpkit.training import RecomputeConfig

MakeModel = Callable[[str], LanguageModel]


def some_ids(*shape: int) -> torch.Tensor:
    return torch.randint(0, 17, shape, generator=torch.Generator().manual_seed(1))


def test_targets_give_the_loss_of_the_logits(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind)
    ids, targets = some_ids(3, 12), some_ids(3, 12).flip(1)
    logits, _ = model(ids)
    assert logits.shape == (3, 12, 17)
    nll, _ = model(ids, targets=targets)
    torch.testing.assert_close(nll, F.cross_entropy(logits.mT, targets, reduction="none"))
    gradients = torch.autograd.grad(nll.mean(), list(model.parameters()))
    expected = torch.autograd.grad(F.cross_entropy(logits.mT, targets), list(model.parameters()))
    for (name, _), ours, reference in zip(model.named_parameters(), gradients, expected, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-6, msg=name)


def test_pieces_with_their_state_equal_one_pass(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind)
    ids = some_ids(2, 12)
    whole, _ = model(ids, model.initial_state(2))
    state, pieces = model.initial_state(2), []
    for piece in ids.split([1, 4, 1, 5, 1], dim=1):
        logits, state = model(piece, state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=1e-5, atol=1e-5)
    without_state, _ = model(ids)
    torch.testing.assert_close(without_state, whole, rtol=1e-5, atol=1e-5)


def test_no_prediction_sees_its_own_future(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind)
    ids = some_ids(1, 12)
    changed = ids.clone()
    changed[0, 7] = (changed[0, 7] + 1) % 17
    before, after = model(ids)[0], model(changed)[0]
    torch.testing.assert_close(before[:, :7], after[:, :7])
    assert (before[:, 7:] - after[:, 7:]).abs().amax(dim=-1).min() > 1e-4


def test_rows_do_not_see_each_other(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind)
    ids = some_ids(3, 9)
    torch.testing.assert_close(model(ids)[0][1:2], model(ids[1:2])[0], rtol=1e-5, atol=1e-5)


def test_a_fresh_model_predicts_nearly_uniformly(make_model: MakeModel, kind: str) -> None:
    torch.manual_seed(0)
    model = build_model(replace(make_model(kind).config, n_embd=64, n_vocab=500))
    nll, _ = model(some_ids(4, 12), targets=some_ids(4, 13)[:, 1:].flip(0))
    assert nll.mean().item() == pytest.approx(math.log(500), abs=0.35)


def test_matrices_are_the_hidden_ones_and_split_evenly(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind)
    matrices = model.matrices()
    assert all(p.size(0) == sum(rows) and p.dim() == 2 for p, rows in matrices)
    left = {id(p) for p in model.parameters()} - {id(p) for p, _ in matrices}
    names = {name for name, p in model.named_parameters() if id(p) in left and p.dim() == 2}
    assert names <= {"embedding.weight", "positions.weight", "head.weight"}


def test_config_survives_its_file(make_model: MakeModel, kind: str) -> None:
    config = make_model(kind).config
    assert model_from_fields(model_fields(config), "config.json") == config


def test_gpt2_block_is_torchs_own_encoder_layer(make_model: MakeModel) -> None:
    block: Any = make_model("gpt2").blocks[0]
    layer = torch.nn.TransformerEncoderLayer(
        8,
        2,
        32,
        dropout=0.0,
        activation=lambda x: F.gelu(x, approximate="tanh"),
        batch_first=True,
        norm_first=True,
    )
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": block.attention.qkv.weight,
            "self_attn.in_proj_bias": block.attention.qkv.bias,
            "self_attn.out_proj.weight": block.attention.projection.weight,
            "self_attn.out_proj.bias": block.attention.projection.bias,
            "linear1.weight": block.feed_forward.expansion.weight,
            "linear1.bias": block.feed_forward.expansion.bias,
            "linear2.weight": block.feed_forward.projection.weight,
            "linear2.bias": block.feed_forward.projection.bias,
            "norm1.weight": block.attention_norm.weight,
            "norm1.bias": block.attention_norm.bias,
            "norm2.weight": block.feed_forward_norm.weight,
            "norm2.bias": block.feed_forward_norm.bias,
        }
    )
    x = torch.randn(2, 7, 8)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(7)
    torch.testing.assert_close(block(x, None, None), layer(x, mask), rtol=1e-5, atol=1e-5)


def test_llama_block_is_its_equations_head_by_head(make_model: MakeModel) -> None:
    model: Any = make_model("llama")
    block = model.blocks[0]
    x = torch.randn(1, 7, 16)

    def rms(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * gain

    normed = rms(x, block.attention_norm.weight)
    q, k, v = (normed @ block.attention.qkv.weight.T).split([16, 8, 8], dim=2)  # 4 and 2 heads of width 4
    angles = (model.cosines[:7], model.sines[:7])
    heads = []
    for head in range(4):
        own, shared = slice(4 * head, 4 * head + 4), slice(4 * (head // 2), 4 * (head // 2) + 4)
        q_head, k_head = (
            rotate(part[:, :, None], *angles)[0, :, 0] for part in (q[..., own], k[..., shared])
        )
        scores = (q_head @ k_head.T / 2).masked_fill(torch.ones(7, 7).triu(1) > 0, -torch.inf)
        heads.append(scores.softmax(-1) @ v[0, :, shared])
    between = x + torch.cat(heads, dim=1) @ block.attention.projection.weight.T
    normed = rms(between, block.feed_forward_norm.weight)
    gate, value = (normed @ block.feed_forward.expansion.weight.T).split([20, 20], dim=2)
    expected = between + (gate * gate.sigmoid() * value) @ block.feed_forward.projection.weight.T
    torch.testing.assert_close(block(x, angles, None), expected, rtol=1e-5, atol=1e-5)


def test_rotary_positions_keep_lengths_and_depend_on_the_distance_alone() -> None:
    torch.manual_seed(0)
    angles = rotary_angles(50, 8, 10_000.0)
    cosines, sines = angles.cos().float(), angles.sin().float()
    q, k = torch.randn(8), torch.randn(8)
    turned_q = rotate(q.expand(1, 50, 1, 8), cosines, sines)[0, :, 0]
    turned_k = rotate(k.expand(1, 50, 1, 8), cosines, sines)[0, :, 0]
    torch.testing.assert_close(turned_q.norm(dim=1), q.norm().expand(50))
    scores = turned_q @ turned_k.T
    for distance in (0, 3, 20):
        diagonal = scores.diagonal(-distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)


def test_dropout_acts_in_training_only() -> None:
    for config in (
        TransformerConfig(17, context_length=12, n_layer=2, n_head=2, n_embd=8, dropout=0.5),
        RecurrentConfig(17, n_layer=2, n_embd=8, dropout=0.5),
    ):
        torch.manual_seed(0)
        model = build_model(config)
        ids, targets = some_ids(2, 12), some_ids(2, 12)
        model.train()
        assert not torch.equal(model(ids, targets=targets)[0], model(ids, targets=targets)[0])
        model.eval()
        assert torch.equal(model(ids, targets=targets)[0], model(ids, targets=targets)[0])


@pytest.mark.parametrize("rate", ["dropout", "word_dropout", "weight_dropout"])
def test_each_recurrent_dropout_acts_alone_and_in_training_only(rate: str) -> None:
    torch.manual_seed(0)
    config = RecurrentConfig(17, n_layer=2, n_embd=8, **{rate: 0.5})  # type: ignore[arg-type]
    model = build_model(config)
    ids, targets = some_ids(2, 12), some_ids(2, 12)
    one, other = (model(ids, targets=targets)[0] for _ in range(2))
    assert not torch.equal(one, other)
    assert torch.equal(*(model.eval()(ids, targets=targets)[0] for _ in range(2)))


def test_variational_dropout_drops_the_same_places_at_all_times() -> None:
    torch.manual_seed(0)
    model: Any = build_model(RecurrentConfig(17, n_layer=2, n_embd=50, dropout=0.5, variational=True))
    seen: list[torch.Tensor] = []
    drop = model._drop
    model._drop = lambda x, mask: seen.append(drop(x, mask)) or seen[-1]
    model(some_ids(3, 12))
    assert len(seen) == 3
    for x in seen:
        dropped = x == 0  # (B, T, D)
        assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
        assert 0.2 < dropped.float().mean() < 0.8
        assert not torch.equal(dropped[0], dropped[1])


def test_word_dropout_drops_all_occurrences_of_a_word() -> None:
    torch.manual_seed(0)
    model: Any = build_model(RecurrentConfig(17, n_embd=8, word_dropout=0.5))
    ids = torch.tensor([[3, 4, 3, 5, 3, 6, 7, 8, 3]])
    embedded = model._embed(ids)[0]
    kept = embedded.abs().sum(1) > 0
    assert 0 < kept.sum() < 9
    assert kept[ids[0] == 3].unique().numel() == 1
    torch.testing.assert_close(embedded[kept], 2 * model.embedding(ids)[0][kept])


def test_more_tokens_than_the_context_are_refused(make_model: MakeModel) -> None:
    model = make_model("modern")
    with pytest.raises(UsageError, match="13 tokens exceed the model's context of 12"):
        model(some_ids(1, 13))
    state = model.initial_state(1)
    model(some_ids(1, 12), state)
    with pytest.raises(UsageError, match="13 tokens exceed"):
        model(some_ids(1, 1), state)


def test_parameters_are_counted_once() -> None:
    config = TransformerConfig(100, context_length=8, n_layer=2, n_head=2, n_embd=16)
    assert count_parameters(config) == 100 * 16 + 2 * 12 * 16 * 16
    assert count_parameters(replace(config, tied=False)) == 2 * 100 * 16 + 2 * 12 * 16 * 16


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_head": 3}, "n_head 3 does not divide n_embd 256"),
        ({"n_head": 0}, "n_head 0 does not divide n_embd 256"),
        ({"n_embd": 6, "n_head": 2}, "rotary positions turn pairs"),
        ({"n_kv_head": 3}, "n_kv_head 3 does not divide n_head 4"),
        ({"n_hidden": -1}, "n_hidden is -1"),
        ({"n_layer": 0}, "n_layer is 0: it must be at least 1"),
        ({"context_length": 0}, "context_length is 0"),
        ({"dropout": 1.0}, r"dropout is 1.0: it must lie in \[0, 1\)"),
        ({"softcap": -1.0}, r"softcap is -1.0"),
    ],
)
def test_impossible_transformers_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TransformerConfig(10, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"n_vocab": 0},
        {"n_embd": -1},
        {"dropout": -0.1},
        {"weight_dropout": 1.0},
        {"word_dropout": -1.0},
        {"n_hidden": -1},
    ],
)
def test_impossible_recurrent_models_are_refused(values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(UsageError, match=f"{name} is"):
        RecurrentConfig(**{"n_vocab": 10, **values})


@pytest.mark.parametrize(("recompute", "every"), [("block", 0), ("block", 2), ("selective", 0)])
def test_recomputed_activations_give_the_same_gradients(
    make_model: MakeModel, kind: str, recompute: Any, every: int
) -> None:
    gradients = []
    for config in (RecomputeConfig(), RecomputeConfig(recompute, recompute_every=every)):
        model = build_model(replace(make_model(kind).config, **DROPOUT[kind in ATTENTION]))
        model.load_state_dict(make_model(kind).state_dict())
        model.recompute = config
        torch.manual_seed(3)
        nll, _ = model.train()(some_ids(3, 12), targets=some_ids(3, 13)[:, 1:])
        gradients.append([nll, *torch.autograd.grad(nll.sum(), list(model.parameters()))])
    for (name, _), kept, again in zip([("nll", None), *model.named_parameters()], *gradients, strict=True):
        # An LSTM's weights gather their gradients over time segments in another order of adding up.
        torch.testing.assert_close(again, kept, rtol=0 if kind in ATTENTION else 1e-5, atol=1e-6, msg=name)


DROPOUT: dict[bool, dict[str, Any]] = {
    True: {"dropout": 0.2},
    False: {"dropout": 0.2, "variational": True, "weight_dropout": 0.3, "word_dropout": 0.1},
}
ATTENTION = {"gpt2", "llama", "modern", "untied"}
