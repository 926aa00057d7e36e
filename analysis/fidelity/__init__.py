"""Screens on cached features: what a run was trained on, and how far its ranking agrees with full training."""
