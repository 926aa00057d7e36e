"""A sweep's file: base, overrides, space, advice and schema."""
