"""A training on a rented machine: what it needs as one folder, and the way back."""
