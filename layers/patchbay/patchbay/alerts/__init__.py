"""Alerts: rules on the health of a space, their states, and the notifications about them."""
