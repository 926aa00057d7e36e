"""Breaks real sweeps at random moments and proves that each ends as if nothing had happened."""
