"""A space of configurations: distributions, conditions, and the draw composed onto the base."""
