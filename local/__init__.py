"""The local cloud: Patchbay on one machine, with no account and no Docker (`make run`)."""
