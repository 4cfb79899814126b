"""Training steps of language models beside their peers: the same shapes, data, clipping and optimizer.

    python benchmarks/lm_speed.py [--nanogpt FOLDER] [--threads 2] [--rounds 5]

- Transformer, nanoGPT's README configuration for a laptop (4 layers, 4 heads, width 128, context 64, batch
  12, 65 characters): batch, forward, backward, clipping, fused AdamW. Peers: nanoGPT's model.py, where
  --nanogpt names a checkout; transformers' GPT2LMHeadModel; the same in plain torch.
- LSTM, 2 x 200, 10,000 words, 20 rows of 20: the step with nlpkit's chunked output layer, and with
  nn.LSTM and a whole softmax.
- Muon, one thread, on 0.79 million matrix parameters: nlpkit's and torch's.

The models of a group take turns, round by round; the median round counts. Wall time, on the same number of
threads, and CPU time: on a busy machine such steps take many times as long, so let it rest.
"""

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpkit.lm.model import build_model
from nlpkit.lm.presets import plan_training
from nlpkit.lm.task import LanguageModelTask
from nlpkit.text.shard_writer import ShardWriter
from nlpkit.text.shards import TokenShards
from nlpkit.training import Muon
from nlpkit.training.step import train_step

CONTEXT, BATCH, LAYERS, HEADS, WIDTH, CHARACTERS = 64, 12, 4, 4, 128, 65
WORDS, HIDDEN, ROWS = 10_000, 200, 20
Step = Callable[[], None]


def write_shards(folder: Path, n_vocab: int) -> TokenShards:
    """A million random ids."""
    with ShardWriter(folder, fingerprint="random", n_vocab=n_vocab) as writer:
        writer.write(np.random.default_rng(0).integers(0, n_vocab, 10**6), [10**6], 10**6)
    return TokenShards(folder)


def nlpkit_step(shards: TokenShards, preset: str, **options: Any) -> Step:
    """A step of nlpkit's own training loop."""
    plan = plan_training(preset, {"steps": 10**6, "warmup": 0, **options}, n_vocab=shards.index.n_vocab)
    torch.manual_seed(0)
    task = LanguageModelTask(build_model(plan.model), plan, shards, None, None)
    done = 0

    def step() -> None:
        nonlocal done
        train_step(task, plan.loop, done)
        done += 1

    return step


def peer_step(
    model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], ids: np.ndarray, rows: int, length: int
) -> Step:
    """A step as the peers' own loops do it: random offsets into the ids, clipping, fused AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), fused=True)

    def step() -> None:
        starts = torch.randint(len(ids) - length, (rows,)).tolist()
        x, y = (
            torch.stack([torch.from_numpy(ids[i + k : i + k + length].astype(np.int64)) for i in starts])
            for k in (0, 1)
        )
        loss(x, y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


class PlainBlock(nn.Module):
    """GPT-2's block in plain torch."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:2], HEADS, WIDTH // HEADS)
        q, k, v = (part.view(shape).transpose(1, 2) for part in self.qkv(self.norms[0](x)).split(WIDTH, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norms[1](x)), approximate="tanh"))


class PlainGpt(nn.Module):
    """GPT-2 in plain torch with a whole cross-entropy."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(CHARACTERS, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.Sequential(*(PlainBlock() for _ in range(LAYERS))), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        hidden = self.norm(self.blocks(self.tokens(x) + self.places.weight[: x.size(1)]))
        return F.cross_entropy((hidden @ self.tokens.weight.T).flatten(0, 1), y.flatten())


class PlainLstm(nn.Module):
    """nn.LSTM with a whole softmax, as PyTorch's word_language_model has it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, HIDDEN)
        self.lstm = nn.LSTM(HIDDEN, HIDDEN, 2, batch_first=True)
        self.state: tuple[Tensor, ...] | None = None

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        hidden, state = self.lstm(self.embedding(x), self.state)
        self.state = tuple(part.detach() for part in state)
        return F.cross_entropy((hidden @ self.embedding.weight.T).flatten(0, 1), y.flatten())


def transformers_step(ids: np.ndarray) -> Step:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=CHARACTERS, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, use_cache=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model(x).logits.flatten(0, 1), y.flatten())

    return peer_step(model, loss, ids, BATCH, CONTEXT)


def nanogpt_step(folder: Path, ids: np.ndarray, *, bias: bool) -> Step:
    spec = importlib.util.spec_from_file_location("nanogpt_model", folder / "model.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{folder} has no model.py.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.GPTConfig(
        block_size=CONTEXT,
        vocab_size=CHARACTERS,
        n_layer=LAYERS,
        n_head=HEADS,
        n_embd=WIDTH,
        dropout=0.0,
        bias=bias,
    )
    model = module.GPT(config)
    return peer_step(model, lambda x, y: model(x, y)[1], ids, BATCH, CONTEXT)


def muon_step(make: Callable[[list[nn.Parameter]], torch.optim.Optimizer]) -> Step:
    """An optimizer's step on the matrices of the Transformer above."""
    shapes = [(3 * WIDTH, WIDTH), (WIDTH, WIDTH), (4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)] * LAYERS
    parameters = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    optimizer = make(parameters)
    return lambda: optimizer.step() and None


def take_turns(steps: dict[str, Step], count: int, rounds: int) -> dict[str, tuple[float, float]]:
    """The medians over the rounds of a step's wall and CPU seconds."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(3):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(count):
                step()
            taken = (time.perf_counter() - wall, time.process_time() - cpu)
            seconds[name].append((taken[0] / count, taken[1] / count))
    return {
        name: (statistics.median(wall for wall, _ in taken), statistics.median(cpu for _, cpu in taken))
        for name, taken in seconds.items()
    }


def report(title: str, seconds: dict[str, tuple[float, float]], tokens: int = 0) -> None:
    print(f"\n{title}\n")
    print("| | ms a step | CPU ms | tokens/s | its time / nlpkit's | of CPU |\n|---|--:|--:|--:|--:|--:|")
    own = next(iter(seconds.values()))
    for name, (wall, cpu) in seconds.items():
        speed = f"{tokens / wall:,.0f}" if tokens else "–"
        ratios = f"{wall / own[0]:.2f} | {cpu / own[1]:.2f}"
        print(f"| {name} | {wall * 1e3:.2f} | {cpu * 1e3:.2f} | {speed} | {ratios} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20, help="steps of a round")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        characters = write_shards(Path(folder) / "characters", CHARACTERS)
        words = write_shards(Path(folder) / "words", WORDS)
        ids = characters.read(0, len(characters))
        plain, lstm = PlainGpt(), PlainLstm()
        shape = {"n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH}
        rows = {"context_length": CONTEXT, "batch_size": BATCH}
        adamw = {"optimizer": "adamw", "lr": 1e-3}
        transformer: dict[str, Step] = {
            "nlpkit": nlpkit_step(characters, "char-cpu", block="gpt2", **shape, **rows, **adamw),
            "plain torch": peer_step(plain, plain, ids, BATCH, CONTEXT),
            "transformers": transformers_step(ids),
        }
        if options.nanogpt:
            transformer["nanoGPT"] = nanogpt_step(options.nanogpt, ids, bias=True)
            transformer["nanoGPT, no biases"] = nanogpt_step(options.nanogpt, ids, bias=False)
        recurrent: dict[str, Step] = {
            "nlpkit": nlpkit_step(
                words, "ptb-small", n_embd=HIDDEN, context_length=ROWS, batch_size=ROWS, **adamw
            ),
            "nn.LSTM, whole softmax": peer_step(lstm, lstm, words.read(0, 10**6), ROWS, ROWS),
        }
        seconds = take_turns(transformer, options.count, options.rounds)
        report(f"Transformer {LAYERS} x {WIDTH}, {options.threads} threads", seconds, BATCH * CONTEXT)
        seconds = take_turns(recurrent, options.count, options.rounds)
        report(f"LSTM 2 x {HIDDEN}, {WORDS:,} words, {options.threads} threads", seconds, ROWS * ROWS)
    torch.set_num_threads(1)
    muons = {
        "nlpkit": muon_step(lambda ps: Muon([(p, (p.size(0),)) for p in ps])),
        "torch.optim.Muon": muon_step(lambda ps: torch.optim.Muon(ps, lr=0.02)),
    }
    report("Muon, 0.79 million parameters, 1 thread", take_turns(muons, 3, options.rounds))


if __name__ == "__main__":
    main()
