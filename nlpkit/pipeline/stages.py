"""The stages that a recipe can name, and the library function behind each.

A stage's keys are the keyword parameters of its function (a test compares them); what this file adds is
which folder goes where. Everything heavy is imported when a stage runs, so planning loads no torch.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.errors import UsageError
from nlpkit.files import read_json, write_json
from nlpkit.pipeline.report.page import publish_report
from nlpkit.pipeline.stage import Outcome, Stage, StageContext
from nlpkit.pipeline.wording import counted, number, size

if TYPE_CHECKING:
    from nlpkit.text import Corpus

CORPUS_FILE = "corpus.json"
EVALUATION_FILE = "evaluation.json"
GENERATED_FILE = "generated.json"


def _open_corpus(parameters: Mapping[str, Any]) -> "Corpus":
    from nlpkit.text import Corpus

    if "-" in parameters["inputs"]:
        raise UsageError("a recipe reads its corpus several times: save standard input to a file first.")
    return Corpus(**parameters)


def _corpus_of(context: StageContext) -> "Corpus":
    return _open_corpus(read_json(context.inputs["corpus"] / CORPUS_FILE)["parameters"])


def _texts(corpus: "Corpus") -> Iterator[str]:
    return (document.text for document in corpus)


def _fingerprint(parameters: Mapping[str, Any]) -> str:
    return _open_corpus(parameters).fingerprint()


def _run_corpus(context: StageContext) -> Outcome:
    """Count what the corpus holds; later stages read the text from where it lies."""
    from nlpkit.text.statistics import corpus_stats

    stats = asdict(corpus_stats(_open_corpus(context.parameters), progress=context.progress))
    write_json(context.folder / CORPUS_FILE, {"parameters": dict(context.parameters), **stats})
    return Outcome(f"{counted(stats['documents'], 'document')}, {size(stats['bytes'])}", stats)


def _run_tokenizer(context: StageContext) -> Outcome:
    from nlpkit.tokenization import Tokenizer

    tokenizer = Tokenizer.train(
        _texts(_corpus_of(context)), **context.parameters, threads=context.threads, progress=context.progress
    )
    tokenizer.save(context.folder)
    return Outcome(f"{tokenizer.n_vocab:,} tokens", {"n_vocab": tokenizer.n_vocab})


def _run_shards(context: StageContext) -> Outcome:
    from nlpkit.tokenization import encode_corpus, load_vocabulary

    summary = encode_corpus(
        _corpus_of(context),
        load_vocabulary(context.inputs["tokenizer"]),
        context.folder,
        **context.parameters,
        threads=context.threads,
        progress=context.progress,
    )
    tokens = sum(split.tokens for split in summary.splits.values())
    held_out = f", {summary.validation.tokens:,} of them held out" if summary.validation else ""
    figures = {name: asdict(split) for name, split in summary.splits.items()}
    return Outcome(f"{number(tokens)} tokens{held_out}", figures)


def _run_words(context: StageContext) -> Outcome:
    from nlpkit.tokenization import WordVocabulary, encode_corpus

    corpus = _corpus_of(context)
    vocabulary = WordVocabulary.train(
        _texts(corpus), **context.parameters, threads=context.threads, progress=context.progress
    )
    summary = encode_corpus(
        corpus, vocabulary, context.folder, validation=0, threads=context.threads, progress=context.progress
    )
    line = f"{vocabulary.n_vocab:,} different units, {number(summary.train.tokens)} in all"
    return Outcome(line, {"n_vocab": vocabulary.n_vocab, "tokens": summary.train.tokens})


def _run_embeddings(context: StageContext) -> Outcome:
    from nlpkit.embeddings import train_word2vec

    vectors = train_word2vec(
        context.inputs["words"],
        context.folder,
        **context.parameters,
        threads=context.threads,
        progress=context.progress,
    )
    figures = {"words": len(vectors), "dim": vectors.vector_size}
    return Outcome(f"{len(vectors):,} vectors of {vectors.vector_size} numbers", figures)


def _run_lm(context: StageContext) -> Outcome:
    from nlpkit.lm import train_lm

    _use_threads(context.threads)
    summary = train_lm(
        context.inputs["shards"], context.folder, **context.parameters, resume=True, progress=context.progress
    )
    return Outcome(
        f"{number(summary.parameters)} parameters, {counted(summary.steps, 'step')}", asdict(summary)
    )


def _run_evaluate(context: StageContext) -> Outcome:
    from nlpkit.lm import evaluate_lm
    from nlpkit.pipeline.held_out import compressed_bits_per_byte

    shards = context.inputs["shards"]
    if not (shards / "validation").is_dir():
        raise UsageError("[evaluate] needs held-out text: set validation above 0 in [shards].")
    _use_threads(context.threads)
    evaluation = evaluate_lm(context.inputs["lm"], shards, **context.parameters, progress=context.progress)
    compressors = compressed_bits_per_byte(shards, progress=context.progress)
    figures = {**asdict(evaluation), "compressors": compressors}
    write_json(context.folder / EVALUATION_FILE, figures)
    beside = ", ".join(f"{name} {bits:.3f}" for name, bits in compressors.items())
    return Outcome(f"{evaluation.bits_per_byte:.3f} bits per byte ({beside})", figures)


def _run_generate(context: StageContext) -> Outcome:
    from nlpkit.lm import generate, load_run

    _use_threads(context.threads)
    run = load_run(context.inputs["lm"])
    options = dict(context.parameters)
    prompts = options.pop("prompts")
    written = []
    for done, prompt in enumerate(prompts):
        context.progress("generate", done, len(prompts))
        written.append({"prompt": prompt, "text": "".join(generate(run, prompt, **options))})
    write_json(context.folder / GENERATED_FILE, {"texts": written, **options})
    return Outcome(counted(len(written), "text"), {"texts": written})


def _run_report(context: StageContext) -> Outcome:
    from nlpkit.pipeline.report.figures import collect_figures
    from nlpkit.pipeline.report.page import FIGURES

    figures = collect_figures(context.inputs, **context.parameters)
    (context.folder / FIGURES).write_text(json.dumps(figures, ensure_ascii=False), encoding="utf-8")
    lists = figures.get("words", {}).get("neighbours", [])
    return Outcome("report.html", {"example_word": lists[0]["key"]} if lists else {})


def _use_threads(threads: int) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)


STAGES: tuple[Stage, ...] = (
    Stage(
        "corpus",
        _run_corpus,
        keys={"inputs": list[str], "field": str, "lines": bool, "errors": str},
        required=("inputs",),
        reads=_fingerprint,
    ),
    Stage(
        "tokenizer",
        _run_tokenizer,
        keys={"vocab_size": int, "pattern": str, "special_tokens": list[str], "min_count": int, "name": str},
        required=("vocab_size",),
        needs=("corpus",),
    ),
    Stage(
        "shards",
        _run_shards,
        keys={
            "validation": float,
            "split": str,
            "bos": str,
            "eos": bool,
            "dropout": float,
            "seed": int,
        },
        needs=("corpus", "tokenizer"),
    ),
    Stage(
        "words",
        _run_words,
        keys={
            "unit": str,
            "min_count": int,
            "lowercase": bool,
            "pattern": str,
            "max_size": int,
            "name": str,
        },
        needs=("corpus",),
    ),
    Stage(
        "embeddings",
        _run_embeddings,
        keys={
            "dim": int,
            "window": int,
            "negative": int,
            "epochs": int,
            "lr": float,
            "sample": float,
            "min_count": int,
            "architecture": str,
            "objective": str,
            "negatives": str,
            "patience": int,
            "seed": int,
            "hogwild": bool,
        },
        needs=("words",),
    ),
    Stage(
        "lm",
        _run_lm,
        keys={
            "preset": str,
            "depth": int,
            "seed": int,
            "model": str,
            "data": str,
            "batch_size": int,
            "context_length": int,
            "block": str,
            "n_layer": int,
            "n_head": int,
            "n_kv_head": int,
            "n_embd": int,
            "n_hidden": int,
            "dropout": float,
            "variational": bool,
            "word_dropout": float,
            "weight_dropout": float,
            "tied": bool,
            "softcap": float,
            "norm_eps": float,
            "rope_base": float,
            "optimizer": str,
            "lr": float,
            "muon_lr": float,
            "beta1": float,
            "beta2": float,
            "momentum": float,
            "weight_decay": float,
            "steps": int,
            "accumulation": int,
            "schedule": str,
            "warmup": int,
            "final_lr": float,
            "decay": float,
            "clip": float,
            "evaluate_every": int,
            "save_every": int,
            "keep": int,
            "average": float,
            "on_nonfinite": str,
            "device": str,
            "dtype": str,
            "compiled": bool,
            "shard": bool,
            "tensorboard": bool,
            "recompute": str,
            "recompute_every": int,
            "memory": str,
        },
        needs=("shards",),
        resumable=True,
    ),
    Stage("evaluate", _run_evaluate, keys={"stride": int}, needs=("lm", "shards")),
    Stage(
        "generate",
        _run_generate,
        keys={
            "prompts": list[str],
            "max_tokens": int,
            "temperature": float,
            "top_k": int,
            "top_p": float,
            "seed": int,
        },
        required=("prompts",),
        needs=("lm",),
    ),
    Stage(
        "report",
        _run_report,
        keys={"words": list[str], "seed": int},
        needs=("corpus",),
        uses=("tokenizer", "shards", "words", "embeddings", "lm", "evaluate", "generate"),
        version=2,
        publish=publish_report,
    ),
)
"""In the order in which they run."""


def demo_recipe() -> Path:
    """The recipe that `nlpkit demo` runs; it comes with the package."""
    import importlib.resources

    return Path(str(importlib.resources.files("nlpkit.recipes") / "demo.toml"))
