"""Byte-level BPE vocabularies in the files of other libraries: writing, reading, and a self-check of both."""
