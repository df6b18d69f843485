"""Who there is and who may do what: organizations, spaces, API keys, principals, authorize()."""
