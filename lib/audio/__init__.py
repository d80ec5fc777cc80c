"""Decodes, resamples, measures and normalises recordings."""
