"""The forkserver: has the whole command line imported, and forks a process for each command that `composer.client` gives it.

* `__main__`   the process: imports, listens on run/fork.sock, ends with the keeper
* `preload`    what is imported and built beforehand
* `request`    what a client asks for, as it comes over the socket
* `identity`   whether a process of ours would be the one that the client would have been
* `serve`      one connection: asked, forked, stopped, ended
* `spare`      a process that waits for the next command
* `command`    the forked process: takes over what the client gave, and runs the ordinary application

It knows nothing of the engine: a command talks to that as it would have anyway. It is never in a namespace of its own.
"""
