"""RUN steps of builds as processes: the runtime, filters, cgroups and networks that services have.

* `runner`   implements `build.worker.Worker` with the keeper
* `ground`   what a step's root needs and its layer must not have: mount points, /etc/hosts and /etc/resolv.conf
* `uplink`   the network that steps share, there while builds run
* `agents`   the user's ssh agent, inside

What a step is and when it runs is `composer.build`'s business.
"""
