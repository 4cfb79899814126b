"""What the report shows, gathered from the folders of the stages: the content of `figures.json`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nlpkit.files import read_json
from nlpkit.pipeline.held_out import token_texts
from nlpkit.pipeline.report import word_map
from nlpkit.pipeline.wording import input_name
from nlpkit.text import TokenShards

if TYPE_CHECKING:
    from nlpkit.embeddings import KeyedVectors
    from nlpkit.lm import ModelConfig

SAMPLE_BYTES = 1000
"""Of held-out text shown token by token."""
SAMPLE_DOCUMENTS = 200
"""Held-out documents that the sample is chosen from."""
CURVE_POINTS = 500
MAP_WORDS = 300
CLUSTERS = 8
NEIGHBOURS, NEIGHBOUR_LISTS = 7, 12
IDS_AT_ONCE = 2**22
BURSTINESS_IDS = 2**24
"""Ids from the beginning of the text that tell which words carry content."""


def collect_figures(
    stages: Mapping[str, Path], *, seed: int, words: list[str] | None = None
) -> dict[str, Any]:
    """The parts that the finished stages allow.

    Args:
        stages: the folder of each finished stage, by name.
        seed: of the map's layout and clusters.
        words: whose neighbours are listed; by default frequent words that carry content.
    """
    figures: dict[str, Any] = {"corpus": _corpus(stages["corpus"])}
    if "shards" in stages:
        figures["tokens"] = _tokens(stages["shards"])
    if "embeddings" in stages:
        figures["words"] = _words(stages["embeddings"], stages["words"], words, seed)
    if "lm" in stages:
        figures["model"] = _model(stages["lm"], stages["shards"])
    if "evaluate" in stages:
        evaluation = read_json(stages["evaluate"] / "evaluation.json")
        figures["compressors"] = evaluation.pop("compressors")
        figures["evaluation"] = evaluation
    if "generate" in stages:
        figures["generated"] = read_json(stages["generate"] / "generated.json")["texts"]
    return figures


def _corpus(folder: Path) -> dict[str, Any]:
    content = read_json(folder / "corpus.json")
    inputs = [input_name(given) for given in content["parameters"]["inputs"]]
    scripts = [[name, share] for name, share in content["scripts"].items() if share >= 0.0005]
    counts = {key: content[key] for key in ("documents", "bytes", "characters", "words")}
    return {"inputs": inputs, "scripts": scripts, **counts}


# ---- tokens ----------------------------------------------------------------------------------------


def _tokens(folder: Path) -> dict[str, Any]:
    from nlpkit.tokenization import load_vocabulary
    from nlpkit.tokenization.patterns import named_scheme

    vocabulary = load_vocabulary(folder / "vocabulary")
    names = [name for name in ("train", "validation") if (folder / name).is_dir()]
    splits = {name: TokenShards(folder / name) for name in names}
    shown = splits[names[-1]]  # held-out text where there is some
    texts = token_texts(vocabulary)
    lengths = np.array([len(text) for text in texts])
    return {
        "n_vocab": vocabulary.n_vocab,
        "pattern": named_scheme(read_json(folder / "vocabulary" / "nlpkit.json")["pat_str"]),
        "held_out": "validation" in splits,
        "bytes_per_token": {name: split.index.text_bytes / len(split) for name, split in splits.items()},
        "bytes": {name: split.index.text_bytes for name, split in splits.items()},
        "text_lengths": np.bincount(lengths, weights=_id_counts(shown)).astype(int).tolist(),
        "vocabulary_lengths": np.bincount(lengths).tolist(),
        "sample": _sample(shown, texts),
    }


def _id_counts(split: TokenShards) -> npt.NDArray[np.int64]:
    counts = np.zeros(split.index.n_vocab, np.int64)
    for start in range(0, len(split), IDS_AT_ONCE):
        part = split.read(start, min(len(split), start + IDS_AT_ONCE))
        counts += np.bincount(part, minlength=len(counts))
    return counts


def _sample(split: TokenShards, texts: list[bytes]) -> list[dict[str, Any]]:
    """The beginning of the document that reads most like prose, token by token."""
    beginnings = [
        _beginning(split.document(index).tolist(), texts)
        for index in range(min(split.index.documents, SAMPLE_DOCUMENTS))
    ]
    ids = max(beginnings, key=lambda ids: _prose(b"".join(texts[token] for token in ids)))
    return [{"id": token, "text": _decoded(texts[token]), "bytes": texts[token].hex(" ")} for token in ids]


def _beginning(ids: list[int], texts: list[bytes]) -> list[int]:
    """The first ids that stand for text, up to `SAMPLE_BYTES`."""
    taken, total = [], 0
    for token in ids:
        total += len(texts[token])
        if total > SAMPLE_BYTES:
            break
        if texts[token]:
            taken.append(token)
    return taken


def _prose(text: bytes) -> float:
    """How much of a full sample is letters, single spaces and the marks of sentences."""
    decoded = text.decode("utf-8", "replace")
    plain = sum(c.isalpha() or c in ",.;" for c in decoded) + decoded.count(" ") - 2 * decoded.count("  ")
    return plain / max(1, len(decoded)) * min(1.0, len(text) / (SAMPLE_BYTES - 50))


def _decoded(text: bytes) -> str | None:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return None  # a part of a character


# ---- word vectors ----------------------------------------------------------------------------------


def _words(embeddings: Path, shards: Path, wanted: list[str] | None, seed: int) -> dict[str, Any]:
    from nlpkit.embeddings import KeyedVectors
    from nlpkit.embeddings.projection import clusters, flatten

    vectors = KeyedVectors.load(embeddings)
    rows = _content_rows(vectors, shards)
    points, method = [], ""
    if len(rows) >= 3:
        places, method = flatten(np.asarray(vectors.vectors[rows]), seed)
        colours = clusters(np.asarray(vectors.vectors[rows]), CLUSTERS, seed)
        points = [
            {
                "word": vectors.get_key(row).strip(),
                "count": _count(vectors, row),
                "x": round(float(x), 4),
                "y": round(float(y), 4),
                "cluster": colour,
            }
            for row, (x, y), colour in zip(rows, places, colours, strict=True)
        ]
    return {
        "words": len(vectors),
        "dim": vectors.vector_size,
        "neighbours": _neighbour_lists(vectors, wanted, [vectors.get_key(row) for row in rows]),
        "map": points,
        "map_method": method,
    }


def _content_rows(vectors: "KeyedVectors", shards: Path) -> list[int]:
    from nlpkit.tokenization import WordVocabulary

    vocabulary = WordVocabulary.load(shards / "vocabulary")
    train = TokenShards(shards / "train")
    scores = word_map.burstiness(train.read(0, min(len(train), BURSTINESS_IDS)), vocabulary.n_vocab)
    keys = vectors.index_to_key
    by_row = [float(scores[vocabulary.encode_single_token(key)]) for key in keys]
    return word_map.content_words(keys, [_count(vectors, row) for row in range(len(keys))], by_row, MAP_WORDS)


def _neighbour_lists(
    vectors: "KeyedVectors", wanted: list[str] | None, frequent: list[str]
) -> list[dict[str, Any]]:
    """Neighbours of the wanted words, or of frequent ones that have not come up as a neighbour already."""
    if wanted:
        return [_neighbour_list(vectors, key) for key in wanted]
    lists: list[dict[str, Any]] = []
    seen: set[str] = set()
    for key in frequent:
        if len(lists) == NEIGHBOUR_LISTS:
            break
        if key.strip() not in seen:
            lists.append(_neighbour_list(vectors, key))
            seen |= {key.strip(), *(name for name, _ in lists[-1]["neighbours"])}
    return lists


def _neighbour_list(vectors: "KeyedVectors", key: str) -> dict[str, Any]:
    return {"key": key, "word": key.strip(), "neighbours": _neighbours(vectors, key)}


def _neighbours(vectors: "KeyedVectors", key: str) -> list[tuple[str, float]]:
    """The nearest words of the more frequent half, whose vectors are settled, each spelling once.

    Split patterns may keep a space with a word, so that a spelling can come twice.
    """
    found: dict[str, float] = {}
    half = max(len(vectors) // 2, 2)
    for name, similarity in vectors.most_similar(key, topn=5 * NEIGHBOURS, restrict_vocab=half):
        if word_map.is_word(name) and name.strip() != key.strip():
            found.setdefault(name.strip(), round(float(similarity), 3))
    return list(found.items())[:NEIGHBOURS]


def _count(vectors: "KeyedVectors", row: int) -> int:
    return 0 if vectors.counts is None else int(vectors.counts[row])


# ---- language model --------------------------------------------------------------------------------


def _model(folder: Path, shards: Path) -> dict[str, Any]:
    from nlpkit.lm.run import read_run_config
    from nlpkit.pipeline.record import read_record
    from nlpkit.training.metrics import read_metrics

    record = read_record(folder)
    index = TokenShards(shards / "train").index
    nats_to_bits = index.tokens / index.text_bytes / np.log(2)
    metrics = read_metrics(folder / "metrics.jsonl")
    validation = [
        (line["step"], line["validation_bits_per_byte"])
        for line in metrics
        if "validation_bits_per_byte" in line
    ]
    config = read_run_config(folder).model
    return {
        **(record.figures if record else {}),
        "kind": _kind(config),
        "context_length": config.context_length,
        "train_curve": _thinned([(line["step"], line["loss"] * nats_to_bits) for line in metrics]),
        "validation_curve": [(step, round(bits, 4)) for step, bits in validation],
    }


def _kind(config: "ModelConfig") -> str:
    """The model's family as people write it: Transformer, LSTM, GRU, RNN."""
    from nlpkit.lm import TransformerConfig

    return "Transformer" if isinstance(config, TransformerConfig) else config.cell.upper()


def _thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `CURVE_POINTS` points: means of as many successive ones as it takes."""
    width = -(-len(points) // CURVE_POINTS)
    groups = [points[start : start + width] for start in range(0, len(points), width or 1)]
    return [(group[-1][0], round(sum(y for _, y in group) / len(group), 4)) for group in groups]
