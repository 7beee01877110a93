"""Magic-Me: tokens that learn one subject from photographs, and clips of it (arXiv 2402.09368)."""
