"""What can be connected: integrations, their releases, and the catalog."""
