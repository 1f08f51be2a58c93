"""The engine's half of building: which images a request needs built and why, and RUN steps as processes.

Deciding, pure:

* `builds`     which images are built, in which order: a `Plan` of `BuildImage` operations
* `freshness`  whether an image is still what its inputs make, and if not what changed

Between Compose and the builder:

* `describe`   a service's `build` in the builder's words, and what is wrong with it;
               `platforms` and `networks` say for and on which
* `inputs`     reads what counts: the Dockerfile, the files that instructions take, base images
* `making`     carries a build out and remembers its inputs; `telling` makes events of its steps
* `keys`       agents for SSH keys that are files
* `checking` `reproduce`  lint rules; whether building twice gives the same

RUN steps, with the runtime, filters, cgroups and networks that services have:

* `runner`   implements `build.worker.Worker` with the keeper; `surroundings` who, what and where a step is
* `attach`   what a step has mounted
* `plain`    a step's root where overlay cannot be had
* `ground`   what a step's root needs and its layer must not have: mount points, /etc/hosts and /etc/resolv.conf
* `uplink`   the network that steps share, there while builds run
* `agents`   the user's ssh agent, inside

What a step is and when it runs is `composer.build`'s business.
"""
