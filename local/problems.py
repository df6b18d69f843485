"""What stops the local cloud."""


class Problem(Exception):
    """Something the person at the keyboard has to know, in one line."""
