"""Patchbay: an integration control plane. Each package is one concept; see docs/architecture.md."""
