"""One trial alone, without Ray."""
