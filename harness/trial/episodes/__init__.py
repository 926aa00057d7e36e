"""Support and query of a step, and what is known of cell lines."""
