"""Programs from programs: derivatives forwards and backwards, batches, graphs, checkpoints, rules."""
