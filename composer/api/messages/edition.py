"""How both sides tell whether they understand each other."""

API_VERSION = 1
"""Raised when clients and engines of one version would no longer understand those of the former."""

EDITION_HEADER = "Composer-Edition"
"""Which code the client is of: an `edition.Edition`."""
OTHER_EDITION = 426
"""The status for a client of other code: beside `error`, `may_replace` says whether it may ask for an engine of its own."""
MAKES_WAY = 503
"""The status while an engine makes way for another: wait for that one, and ask it."""
