"""Connection tests: what a manifest's checks mean, how they run, and what may be dialled.

Pure: `model`, `codes`, `failures`, `placeholders`, `plan`, `targets`, `addresses`, `policy`,
`verdict`. I/O: `egress` (the only place that opens sockets), `exchange` (HTTP on its connections),
`runner`.
"""
