"""Normalise transcripts, plan the vocabulary, and write texts for a tokenizer."""
