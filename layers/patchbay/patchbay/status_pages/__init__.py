"""Public status pages of spaces, and their badges."""
