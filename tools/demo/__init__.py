"""The embedded demo corpus, made."""
