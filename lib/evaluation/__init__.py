"""Speaks with a trained voice, measures it and draws figures."""
