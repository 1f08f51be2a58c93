"""The kernel's calls that Python lacks: the only place with `ctypes`, one module per man page or topic.

* `libc`        the library handle and how a failed call becomes an `OSError` that names itself
* `clone`       `clone3(2)`: a child in new namespaces, with its pidfd
* `namespace`   `setns(2)`, `unshare(2)`
* `mount`       `open_tree`, `move_mount`, `mount_setattr`, `umount2`, `pivot_root`
* `filesystem`  `fsopen`, `fsconfig`, `fsmount`: a new file system as a descriptor
* `path`        `openat2(2)`: paths that cannot leave a root
* `privilege`   `prctl(2)`, `capset(2)`, `seccomp(2)`
* `process`     pidfds, exit statuses of processes that are not our children, start times
* `identity`    `sethostname(2)`, `setdomainname(2)`
* `inotify`     `inotify(7)`

Functions take descriptors rather than paths where the kernel does, constants keep the kernel's names, and every error
is an `OSError` whose `filename` says what was called. It knows nothing of containers and imports nothing of composer.
"""
