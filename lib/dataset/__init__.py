"""Selects clips, splits them and assembles the Hugging Face dataset."""
