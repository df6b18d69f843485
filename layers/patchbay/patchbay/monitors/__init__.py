"""Monitors: a wheel of due tests, their dispatch, and their sweeps."""
