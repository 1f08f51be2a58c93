"""The engine process: its lifetime, its HTTP routes, and the wiring of the real drivers.

* `__main__` the process: connect to the keeper, recover, serve, leave when there is nothing to do
* `http`     requests and answers on the socket
* `app`      all routes together, and what becomes of errors; `table` finds the one that answers
* `routes`   one handler for each request of `api.messages`; it decodes, calls, encodes, and decides nothing
* `answers`  how handlers read requests, and answer with an object or line by line
* `upgrade`  connections that stop being HTTP: exec and attach
* `succession` who is served while an engine makes way for one of other code; `handover` does it, and comes back where that fails
* `wiring`   the composition root: the only module that chooses the real drivers; `workshop` is the part of it that pulls and
             builds, imported when something is to be
"""

import composer.unplugged  # noqa: F401  before pydantic
