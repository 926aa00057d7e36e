"""The ablation harness: YAML -> plan -> Ray Tune trials -> store."""
