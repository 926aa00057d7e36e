"""Recorded examples: what runs in this process computes what was recorded when the equations were tested."""
