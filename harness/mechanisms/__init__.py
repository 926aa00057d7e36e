"""The catalogue of mechanisms: one row per class or function that the documents name."""
