"""The stage `precompute`: all that the frozen parts say of each target, in shards for training."""
