"""Connection tests: what a manifest's checks mean, how they run, and what may be dialled.

Pure: `model`, `codes`, `failures`, `placeholders`, `plan`, `targets`, `addresses`, `policy`,
`verdict`, `dns_message`, `refusals`. I/O: `egress` (the only place that dials what tenants name),
`nameservers` (which asks the operator's), `exchange` (HTTP on the guard's connections), `runner`.
"""
