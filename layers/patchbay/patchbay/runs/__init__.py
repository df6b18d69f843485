"""What monitors recorded and how it is counted: runs, days, and segments (`docs/runs.md`)."""
