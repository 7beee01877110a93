"""On what terms weights and pictures may be used, and what was made of them."""
