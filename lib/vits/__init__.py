"""The model side of VITS fine-tuning, in pure torch."""
