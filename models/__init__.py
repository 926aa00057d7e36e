"""The PRISM energy-dissipation family in pure torch: no Ray, no files, no sweeps, no metrics."""
