"""Organizations, spaces, API keys, tokens, principals, and what they may do."""
