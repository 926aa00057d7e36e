"""The episodic loop of one configuration on one fold."""
