"""The keeper: a small single-threaded process that clones containers, is their parent and outlives the engine.

* `steps`      what a child does between clone and exec, as data; the engine compiles it
* `wire`       messages and descriptors over a SEQPACKET socket; `outbox` sends them without waiting
* `client`     the engine's side, for asyncio: `Keeper.run`, `wait`, `put`, `adopt`; `runs` its words, `conversation` its socket
* `house`      the process: `keeping` holds its books, `requests` answers the engine, `loop` calls both; `signals` for it
* `children`   what runs, with the pump; `planes` the data plane and its predecessors
* `upgrade`    becoming a keeper of newer code by `execve` in place; `luggage` is what it takes along
* `start`      one clone and its channel; `child` its life until exec; `perform*` the steps, `inside` paths in a root
* `journal`    exits that were reaped and that the engine has not acknowledged yet
* `store`      descriptors that must outlive a process, held by name: keeper, engine and data plane all have them
* `pump`       a process beside it that moves output from FIFOs to `logfile`; `logs` reads and follows what it wrote
* `orphan`     the data plane of a keeper that died, which has everything
* `auxiliary`  processes that the keeper forks, and forks again: pump, data plane, engine; `sources` says when that may not be

It knows nothing of Compose, images or networks: it gets steps and descriptors, and reports pids, descriptors and exit
statuses. All but the engine's side import the standard library and `composer.kernel` only, so that the process stays small: it
forks in a millisecond.
"""
