"""Measurements of speed; `make bench` runs those that take minutes."""
