"""The base model of the demo, and what made it."""
