"""The data report: what pairs are, and what they give away without any interaction (`python -m harness.data report`)."""
