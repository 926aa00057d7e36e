"""What every implementation of an extension point promises: one suite per point, over one table of settings."""
