"""The keeper: a small single-threaded process that clones containers, is their parent and outlives the engine.

* `steps`   what a child does between clone and exec, as data; the engine compiles it, `perform` carries it out
* `wire`    messages and descriptors over a SEQPACKET socket
* `store`   descriptors that must outlive a process, held by name: keeper, engine and data plane all have them
* `journal` exits that were reaped and that the engine has not acknowledged yet

It knows nothing of Compose, images or networks: it gets steps and descriptors, and reports pids, descriptors and exit
statuses. It imports the standard library and `composer.kernel` only, so that it stays small enough to fork in under a
millisecond.
"""
