"""Tests of what is connected, and their history."""
