"""A small real run in the tree: how it was recorded, and copies of its units for what it does not have."""
