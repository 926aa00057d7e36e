"""What a search proposes, and what it knows of the past."""
