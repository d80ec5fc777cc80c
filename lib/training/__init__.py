"""The training loop: batches, steps, checkpoints, validation, logs."""
