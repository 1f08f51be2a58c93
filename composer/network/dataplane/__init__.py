"""The data plane: a process of its own that relays published ports and answers DNS (`python -m composer.network.dataplane FD`).

* `plane`    what is to be done: items put and dropped by the keeper, in the words of its store
* `loop`     one thread, one epoll, timers
* `inside`   sockets made inside a network's namespace
* `tcp`      relays connections, `flow` moves the bytes of one direction; `udp` relays datagrams
* `dns`      a container's resolver: its sockets are its identity; `names` answers from zones, `forward` asks others,
             `message` is the codec (RFC 1035)

The items are the only truth: a data plane that was killed is started again with the same ones, and what connected in
between waits in the queue of a listening socket that the keeper holds as well. A busy or restarting engine never
delays traffic or names. It starts in milliseconds, so it imports little: no asyncio, no third-party library.
"""
