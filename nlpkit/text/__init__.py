"""Text in, token files out: documents from any input, corpora, and the shards that trainers read."""

from nlpkit.text.documents import Corpus, Document
from nlpkit.text.shard_writer import ShardProgress, ShardWriter
from nlpkit.text.shards import TokenShards

__all__ = ["Corpus", "Document", "ShardProgress", "ShardWriter", "TokenShards"]
