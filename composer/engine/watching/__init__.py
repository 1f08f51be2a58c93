"""The engine's half of `develop.watch`: who is watched, and what follows from a change.

    Watching ── one ──▶ Session ── one a service ──▶ ServiceWatch ──▶ files into containers, then restart, exec or rebuild
    (a project each)    (its files, its rules)

* `watching`    `Watching`: the sessions; detached ones are on record and taken up again after any death
* `session`     `Session`: one project's watch: listens, looks, tells services; reads the project again when its files change
* `definition`  `Definition`: the project as it was read, its rules, and every file that says so
* `rules`       from a project's `develop` to the rules of `composer.watch`, with what is wrong with them
* `reload`      `x-reload`: what it may say
* `sight`       `Sight`: what a session sees, and what it saw before its rules were read anew
* `telling`     `Telling`: what a session tells, to who follows it and to `--status`
* `redefining`  `Redefining`: making a changed project real while its files go on being watched
* `manifest`    `Manifest`: what each rule has dealt with, on disk
* `service`     `ServiceWatch`: brings files into a service's containers and does what its rules ask for, one turn at a time
* `pending`     `Pending`: what has gathered for the next turn
* `files`       `Files`: what a service's containers should have and have
* `deleted`     `Deleted`: what no further container of an image is to have, since it was deleted on disk
* `follow`      `Follow`: what comes after the files: a restart, commands, a word to the program
* `deeds`       `Deeds`: what services ask of the engine; `acting` has the real ones, `tools` what these work with

A restart or rebuild only changes what is desired; the ordinary reconciliation carries it out.
"""
