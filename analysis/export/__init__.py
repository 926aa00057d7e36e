"""A run's units and configurations into trackers, fed from the store by one writer per tracker."""
