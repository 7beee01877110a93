"""ConsisID: a person from one photograph, by diffusers' own pipeline (arXiv 2411.17440)."""
