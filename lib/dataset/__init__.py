"""Filter clips, split them, and assemble the Hugging Face dataset."""
