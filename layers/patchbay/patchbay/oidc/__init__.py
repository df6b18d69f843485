"""Signing in to the dashboard at the identity provider of the deployment (OpenID Connect)."""
