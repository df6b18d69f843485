"""Alerts: rules over the health of a space, their states and what is sent of them."""
