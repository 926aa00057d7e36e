"""Many trials under Ray Tune."""
