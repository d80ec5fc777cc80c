"""Normalises transcripts and audits them against a vocabulary."""
