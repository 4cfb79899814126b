"""Word vectors: train them over token shards, ask for neighbours and analogies, exchange them with others."""

from nlpkit.embeddings.keyed_vectors import KeyedVectors, UnknownWordError
from nlpkit.embeddings.word2vec import train_word2vec

__all__ = ["KeyedVectors", "UnknownWordError", "train_word2vec"]
