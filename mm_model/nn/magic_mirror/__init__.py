"""Magic Mirror's own modules: adapter, CAN, fused attention, face tokens, their configuration."""
