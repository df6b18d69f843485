"""OAuth applications, the code flow, and what it grants: tokens, their refresh, and their use."""
