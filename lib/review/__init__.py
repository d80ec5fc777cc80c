"""Pages on which people review and correct what the workflow decided."""
