"""Do the intervals cover what they say? Simulated runs of known truth, and how often the intervals hold it."""
