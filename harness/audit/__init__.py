"""The audit: did every configured mechanism really run? Verdicts from twins that differ in one mechanism."""
