"""Training of the tiny video backbone: VAE, text encoder, video DiT and identity encoder.

Everything is trained on the procedural people of `split.WEIGHTS_PEOPLE` and on nothing else; the
result is a diffusers pipeline folder of real classes with small sizes. Import the module you need:
`render`, `vae`, `identity`, `dit`, `assemble`.
"""
