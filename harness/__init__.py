"""The ablation harness: YAML -> plan -> Ray Tune trials -> store."""

import os
import time

# Read as torch is loaded: a thread of torch that waits for another one sleeps in place of counting, since the other may
# have no processor, which is then the one that is kept busy by counting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

BEGAN_NS = time.time_ns()
"""When this process began to load the project, in nanoseconds since the epoch."""
