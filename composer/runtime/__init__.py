"""The embedded container runtime: what a container is, turned into what its first process must do.

    default_spec(...) ─▶ Spec (OCI) ─compile.container_steps(spec, bundle, host, network)─▶ tuple[Step, ...] ─▶ keeper

* `defaults`  Docker's defaults: mounts, masked paths, devices, capabilities
* `compile`   the pure function from a `Spec` to steps; their order is the security argument. `describe` reads them aloud
* `bundle`    where one container's files are, and what the OCI document has no word for
* `facts`     what this machine allows, probed once: root and rootless differ in nothing else
* `seccomp`   a profile (`profile`, `default_profile`) to the BPF program of `seccomp(2)`, through libseccomp, cached
* `cgroup`    a container's control group: v1, v2 or none, behind one port
* `user`, `signals`, `etc`   the small vocabularies: passwd, signal names, /etc/hosts

What it must not know: Compose, images, networks' meaning (their steps come in ready-made) and the engine's state. It never
changes the engine's own namespaces: everything it decides is carried out by the keeper's children.

Follows the OCI runtime specification 1.2 <https://github.com/opencontainers/runtime-spec/blob/v1.2.0/spec.md>, with the
choices of Docker where the specification leaves them open.
"""
