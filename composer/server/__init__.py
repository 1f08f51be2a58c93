"""The engine process: its lifetime, its HTTP routes, and the wiring of the real drivers.

* `__main__` the process: connect to the keeper, recover, serve, leave when there is nothing to do
* `app`      the HTTP application, and what becomes of errors
* `routes`   one handler for each request of `api.messages`; it decodes, calls, encodes, and decides nothing
* `answers`  how handlers read requests, and answer with an object or line by line
* `upgrade`  connections that stop being HTTP: exec and attach
* `wiring`   the composition root: the only module that chooses the real drivers

aiohttp enters the project here and in `registry.transport`, nowhere else.
"""
