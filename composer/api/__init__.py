"""The engine's messages and its client.

HTTP/1.1 with JSON over the engine's unix socket (0600, the user's own). Long requests answer with a stream of events, one JSON
object a line; the last is a `Result`. exec and attach upgrade the connection to a raw stream (`stream`).

* `messages` requests, events and answers, as data
* `codec`    messages to JSON and back
* `stream`   the frames of an upgraded connection
* `starter`  finds the engine or starts it
* `client`   the calls, over `connection` (HTTP on a unix socket), `streams` (events and logs as they come) and `answers`
* `neighbour` names another user's engine, for those who meant that one
"""
