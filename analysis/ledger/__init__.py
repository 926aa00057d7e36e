"""Every stored prediction again, in float64 NumPy, from what the store keeps; and whether the store agrees with itself."""
