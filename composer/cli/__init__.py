"""Words on a terminal: the commands of `compose`, one file each.

* `app`       the root command: global options, and a table of the commands whose modules are imported when called
* `session`   what a command works with: the options, the project, the engine's client, the way to show progress
* `commands/` one command a file: arguments in, requests out, an exit code back
* `render/`   the only place that prints or colours
* `terminal`, `attach`  raw mode and the streams of `exec` and `run`;  `foreground`  the attached `up`

It asks the engine through `api` and loads files through `project`; it knows nothing of how either works. Every command
is a plain typer function that returns its exit code. Imports are lazy throughout: starting is most of what a short
command costs.
"""
