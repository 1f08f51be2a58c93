"""`compose.lock`: the same content for everybody who works on a project, whatever its names mean by now.

* `model.Lock`        what the file says; `reading`, `tables` and `writing` are its TOML, `places` its lines
* `uses`              what a project needs: the images of its services, and what its Dockerfiles begin with and fetch
* `compare`           what a lock lacks, or has too much, for that
* `resolve` `update`  asks registries, servers and git, and makes a new lock of the old one
* `making` `behind`   all of that, and what lies behind the names: Dockerfiles of repositories, `triggers` of base images
* `changes`           what differs between two locks, as a changelog; `history` reads one from version control
* `pins.Pins`         what the engine and the builder are given: exact digests by name
* `packages`          which versions of what are installed in an image, read from its files

A lock is review material: sorted, stable, and it never changes the Compose file. It is also something that strangers may
have written, as images are: `reading` and `packages` believe nothing.

This room knows projects, Dockerfiles and registries; it starts nothing, and it knows no engine.
"""
