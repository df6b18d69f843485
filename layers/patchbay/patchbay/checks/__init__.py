"""What a manifest means, and how its checks run. Only `egress` dials."""
