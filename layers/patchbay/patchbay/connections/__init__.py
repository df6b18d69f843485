"""What is connected: sources, destinations, connections, and the vault of their secrets."""
