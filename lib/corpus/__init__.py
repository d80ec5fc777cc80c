"""Reads the user's recordings and transcripts as `Clip` records."""
