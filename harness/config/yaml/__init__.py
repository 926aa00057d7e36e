"""Lines of a YAML file, and how large one may be."""
