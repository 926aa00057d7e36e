"""Which configurations, folds and seeds a run consists of."""
