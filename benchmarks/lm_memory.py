"""What a training step of a language model holds at once, and what it costs to hold less.

    python benchmarks/lm_memory.py

The most bytes of live tensors in one forward and backward pass (gradients among them, weights not), counted
while it runs, and CPU time on one thread, median of three:

- the output layer with cross-entropy for 4,096 tokens of GPT-2's vocabulary at width 256, whole and in
  nlpkit's chunks; losses and gradients are compared;
- recomputation in a Transformer of 12 layers of width 256, context 512, batch 8, 1,024 ids; gradients are
  compared bit for bit. Beside it the same by torch's own matrix products, which peers use.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from nlpkit.lm.config import Block, TransformerConfig
from nlpkit.lm.head import fused_nll
from nlpkit.lm.model import build_model
from nlpkit.training import RecomputeConfig, products
from nlpkit.training.memory import LiveBytes

BLOCKS: tuple[Block, ...] = ("gpt2", "modern")
ONEDNN = products.ONEDNN
Pass = Callable[[], list[Tensor]]
"""Runs forward and backward; the loss and gradients."""


def measure(run: Pass) -> tuple[float, float, list[Tensor]]:
    """Peak in MiB, seconds, and what the pass gave."""
    with LiveBytes() as count:
        given = run()
    seconds = []
    for _ in range(3):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return count.peak / 2**20, statistics.median(seconds), given


def heads() -> dict[str, Pass]:
    torch.manual_seed(0)
    x = torch.randn(4096, 256, requires_grad=True)
    weight = (torch.randn(50_257, 256) * 0.02).requires_grad_()
    targets = torch.randint(50_257, (4096,))

    def run(loss: Callable[[], Tensor]) -> Pass:
        def passes() -> list[Tensor]:
            x.grad = weight.grad = None
            value = loss()
            value.backward()
            return [value.detach(), *(p.grad for p in (x, weight) if p.grad is not None)]

        return passes

    return {
        "whole": run(lambda: F.cross_entropy(x @ weight.T, targets)),
        "nlpkit, in chunks": run(lambda: fused_nll(x, weight, targets).mean()),
    }


def transformers(block: Block) -> dict[str, Pass]:
    torch.manual_seed(0)
    config = TransformerConfig(1024, context_length=512, block=block, n_layer=12, n_head=8, n_embd=256)
    model = build_model(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    ids = torch.randint(1024, (8, 513))

    def run(recompute: RecomputeConfig, *, own_products: bool = True) -> Pass:
        def passes() -> list[Tensor]:
            products.ONEDNN = ONEDNN and own_products
            model.zero_grad()
            model.recompute = recompute
            nll, _ = model(ids[:, :-1], targets=ids[:, 1:])
            (nll.sum() / nll.numel()).backward()
            return [nll.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]

        return passes

    return {
        "none": run(RecomputeConfig()),
        "block": run(RecomputeConfig("block")),
        "block, every 3": run(RecomputeConfig("block", 3)),
        "selective": run(RecomputeConfig("selective")),
        "none, torch's products": run(RecomputeConfig(), own_products=False),
    }


def report(title: str, passes: dict[str, Pass], tolerance: float) -> None:
    print(f"\n{title}\n\n| | peak MiB | CPU s | time | gradients |\n|---|--:|--:|--:|---|")
    first: list[Tensor] = []
    base = 0.0
    for name, run in passes.items():
        peak, seconds, given = measure(run)
        first, base = first or [tensor.clone() for tensor in given], base or seconds
        apart = max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(given, first, strict=True))
        verdict = f"{'within' if apart <= tolerance else 'off by'} {apart:.1g}" if apart else "equal"
        print(f"| {name} | {peak:,.0f} | {seconds:.2f} | {seconds / base - 1:+.0%} | {verdict} |")


def main() -> None:
    torch.set_num_threads(1)
    report("Output layer, 50,257 ids, 4,096 tokens, width 256", heads(), 3e-6)
    for block in BLOCKS:
        title = f"Recomputation, 12 layers of width 256, block {block}, context 512, batch 8"
        report(title, transformers(block), 0.0)


if __name__ == "__main__":
    main()
