"""Documents become chunks with embeddings."""
