"""Install sessions: a short-lived permission to connect, or repair, one integration."""
