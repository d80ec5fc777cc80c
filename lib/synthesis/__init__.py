"""Synthesize speech from text with a trained voice."""
