"""Definitions from lists that you have: Nango's, Airbyte's, OpenAPI documents, Postman collections.

Every function here is pure. It takes a document that `source_files.read_document` has read from
your own copy, and returns one `Imported` for each definition that it found. Nothing is fetched, and
nothing of these lists is part of this package: `whoami.json` has checks of our own.
"""
