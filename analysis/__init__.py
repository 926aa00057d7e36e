"""Schema of the store, metrics, warning rules, statistics and rankings. Imports neither torch nor Ray."""
