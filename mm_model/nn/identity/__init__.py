"""What is taken from a photograph: portrait, recogniser, perceivers, identity tokens, prompts."""
