"""Recomputed activations give the same bits for less memory; the count of bytes is torch's own."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpkit.errors import UsageError
from nlpkit.training import RecomputeConfig
from nlpkit.training.memory import LiveBytes, parse_bytes, peak_bytes
from nlpkit.training.recomputation import run_blocks


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.wide, self.narrow = nn.Linear(16, 48), nn.Linear(16, 64), nn.Linear(64, 16)

    def forward(self, x: Tensor, scale: float) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, 2, 8)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + scale * attended.transpose(1, 2).flatten(2)
        return x + self.narrow(F.dropout(F.gelu(self.wide(x)), 0.3))


CONFIGS = {
    "none": RecomputeConfig(),
    "block": RecomputeConfig("block"),
    "every 3": RecomputeConfig("block", 3),
    "selective": RecomputeConfig("selective"),
}


def step(config: RecomputeConfig) -> tuple[Tensor, list[Tensor], int]:
    """The result, gradients and peak of live bytes of one pass forward and back."""
    torch.manual_seed(0)
    blocks = nn.ModuleList(Block() for _ in range(8))
    x = torch.randn(4, 32, 16, requires_grad=True)
    with LiveBytes() as count:
        y = run_blocks(list(blocks), x, 0.5, config=config)
        y.square().mean().backward()
    gradients = [p.grad for p in [x, *blocks.parameters()] if p.grad is not None]
    return y, gradients, count.peak


@pytest.mark.parametrize("name", ["block", "every 3", "selective"])
def test_results_and_gradients_keep_their_bits_and_memory_falls(name: str) -> None:
    y, gradients, peak = step(CONFIGS["none"])
    again, again_gradients, again_peak = step(CONFIGS[name])
    assert torch.equal(y, again)
    assert len(gradients) == len(again_gradients) == 1 + 8 * 6
    for one, other in zip(gradients, again_gradients, strict=True):
        assert torch.equal(one, other)
    assert again_peak < 0.6 * peak


def test_attention_is_not_run_again_where_its_output_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    class Count(LiveBytes):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal calls
            calls += function is torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
            return super().__torch_dispatch__(function, types, args, kwargs)

    counts = {}
    for name in ("none", "block", "selective"):
        calls = 0
        monkeypatch.setitem(globals(), "LiveBytes", Count)
        step(CONFIGS[name])
        counts[name] = calls
    assert counts == {"none": 8, "block": 16, "selective": 8}


def test_fake_tensors_count_the_bytes_of_real_ones() -> None:
    def prepare() -> Callable[[], None]:
        blocks = nn.ModuleList(Block() for _ in range(2))
        x = torch.zeros(4, 32, 16)
        return lambda: run_blocks(list(blocks), x, 0.5, config=CONFIGS["none"]).sum().backward()

    with LiveBytes() as count:
        prepare()()
    assert count.peak > 4 * 32 * 16 * 4
    assert peak_bytes(prepare) == count.peak


def test_live_bytes_forget_what_is_freed() -> None:
    with LiveBytes() as count:
        kept = torch.zeros(10)
        view = kept[2:5]
        dropped = torch.zeros(100)
        del dropped
    assert view.numel() == 3
    assert (count.live, count.peak) == (40, 440)


def test_what_was_there_before_does_not_count_nor_do_its_views() -> None:
    before = torch.zeros(100)
    with LiveBytes() as count:
        view = before.view(10, 10).T.detach()
        before.add_(1)
        made = view.contiguous()
    assert made.shape == (10, 10)
    assert count.peak == 400


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512MiB", 2**29), ("1.5g", 15 * 10**8), ("100", 100), ("2 kB", 2000), ("7B", 7)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "4XB", "-1GB", "1.2.3GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no size: write it as 4GB or 512MiB"):
        parse_bytes(text)


def test_a_negative_segment_is_refused() -> None:
    with pytest.raises(UsageError, match="recompute_every is -1"):
        RecomputeConfig("block", -1)
