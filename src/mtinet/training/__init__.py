"""Training one run: batches, loop, checkpoints, tracking, provenance."""
