"""Whether a small VITS learns to speak from random weights with this project's trainer."""
