"""Pages on which people put right what the workflow decided."""
