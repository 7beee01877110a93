"""The CogVideoX backbone: loading, folded VAE, rotary positions, tokenizer."""
