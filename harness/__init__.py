"""The ablation harness: YAML -> plan -> Ray Tune trials -> store."""

import os

import harness.shell.began  # noqa: F401 - now
from analysis.loading import end_at_ctrl_c

end_at_ctrl_c()

# Read as torch is loaded: a thread of torch that waits for another one sleeps in place of counting, since the other may
# have no processor, which is then the one that is kept busy by counting.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
