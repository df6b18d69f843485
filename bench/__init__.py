"""What Patchbay promises in figures, measured: each module is one bench and runs by itself.

`PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m bench.<module>` prints its rows.
"""
