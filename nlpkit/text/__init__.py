"""Text in, token files out: documents from any input, corpora, and the shards that trainers read."""

from nlpkit.text.documents import Corpus, Document
from nlpkit.text.shards import ShardWriter, TokenShards

__all__ = ["Corpus", "Document", "ShardWriter", "TokenShards"]
