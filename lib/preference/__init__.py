"""Which checkpoint people prefer: blind pairs to listen to, votes, and what they say."""
