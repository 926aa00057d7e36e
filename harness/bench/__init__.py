"""Speed against the plain way of doing the same work, in one run, with the difference of the results."""
