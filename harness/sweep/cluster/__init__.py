"""The Ray session that a sweep runs in."""
