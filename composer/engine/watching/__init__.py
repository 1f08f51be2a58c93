"""The engine's half of `develop.watch`: who is watched, and what follows from a change.

    Watching ── one ──▶ Session ── one a service ──▶ ServiceWatch ──▶ files into containers, then restart, exec or rebuild
    (a project each)    (its files, its rules)

* `rules`     from a project's `develop` to the rules of `composer.watch`, with what is wrong with them
* `service`   `ServiceWatch`: brings files into a service's containers and does what its rules ask for, one turn at a time
* `session`   `Session`: one project's watch: listens, looks, tells services; reads the project again when its files change
* `watching`  `Watching`: the sessions; detached ones are on record and taken up again after any death

A restart or rebuild only changes what is desired; the ordinary reconciliation carries it out.
"""
