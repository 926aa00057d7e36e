"""Search spaces: what a YAML varies around a preset, and how a change becomes a typed configuration."""
