"""Finds out who speaks: embeddings, clustering, stable speaker ids."""
