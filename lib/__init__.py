"""From recordings with transcripts to a fine-tuned text-to-speech voice."""
