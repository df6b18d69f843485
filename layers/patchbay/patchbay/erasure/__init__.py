"""What becomes of a customer who leaves: the export of an organization, and its erasure."""
