"""Watching files: what changed below the paths of `develop.watch`, and bringing it into a container's root.

    changes ──Batch──▶ Tree.look ──changed paths──▶ plan ──SyncFiles──▶ deliver ──▶ Ledger
    (inotify)          (hashes)                     (pure)              (openat2)   (what each container was given)

* `rules`      `Rule`: one entry of `develop.watch`; `triggers`: which actions follow from a batch, by a table
* `selection`  `Selection`: which paths below a root count (`ignore`, `include`, `.dockerignore`, `.gitignore`, editors' files)
* `tree`       `Tree`: a manifest of content hashes of what is below a root; tells what really changed
* `changes`    `Changes`: the port to the kernel's queue of events, with re-scans instead of losses; polling where there is none
* `remote`     which file systems tell nothing of changes
* `checkout`   `locks_of`: where git says that it is at work, so that a branch switch is one batch
* `plan`       `plan`: two manifests -> `SyncFiles`, the operations that make one into the other
* `deliver`    `Root`: carries `SyncFiles` out inside a container's root; nothing can lead out of it
* `ledger`     `Ledger`: what each container was given, on disk: deletes are known and unchanged files are not read again

What is there when a watch begins is always compared and brought in, whatever `initial_sync` says: a container that differs from
the disk without telling is what this room is against. inotify is used directly rather than through watchfiles: that drops the
kernel's word that its queue overflowed, fails as a whole on a name that is not UTF-8, and watches what is ignored.

This room knows neither Compose files nor the engine's records. It follows
<https://github.com/compose-spec/compose-spec/blob/main/develop.md>.
"""
