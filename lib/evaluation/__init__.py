"""Speaks with a trained voice and shows what a run did: figures, report, summary."""
