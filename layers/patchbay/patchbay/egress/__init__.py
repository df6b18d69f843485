"""What may be dialed, and dialing it. Knows nothing of checks."""
