"""A page on this machine to talk with a voice: type, choose, hear, compare, save."""
