"""What `Tokenizer` is made of: `decoder` (ids to text), `encoder` (text to ids), and a file for each matter
that takes more than a line: special tokens, offsets, streams, cutting by tokens, unstable ends."""
