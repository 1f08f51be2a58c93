"""Images at rest: stored, named, checked, unpacked; never run.

* `store.Store`          every image: add, tag, unpack; an OCI image layout that other tools read in place
* `catalogue.Catalogue`  the same, for whoever only reads: find, list; `remove` takes images out
* `image.Image`          what the rest of composer sees: id, config, and the snapshots that overlay stacks
* `importing` `load`     images from root file systems, and from what other tools saved
* `materialise`          layers of images built here, which are snapshots only, as blobs
* `save` `audit` `prune` images into an archive, what is damaged (`faithful`: unpacked layers), which may go
* `host`                 the embedded image made of this machine's own programs, and what it binds
* `layer.unpack`         a layer's blob onto the disk, hashed on the way: `stream` decompresses, `header` `sparse` and
                         `reader` read tar, `tree` enters directories, `apply` makes what the entries say
* `writer` `ustar`       a tree as an archive, always the same bytes
* `plain` `upper`        a root that is a copy, where overlay cannot be had, and what was changed in it
* `snapshot`             unpacked layers by ChainID; `root` looks into a chain of them without mounting it
* `beside`               images of a name for other platforms than this machine's
* `blobs` `index` `entries` `collect` `verify` `disk`   the parts of the store

Everything that comes from outside is hostile: names, links, sizes, digests, documents. Content is verified before it is
named, made beside its place and renamed (`staging`), and deleted by way of descriptors (`removal`). What this process may
do as root or as an ordinary user is one record, `ownership.Ownership`.

This room knows the OCI image specification <https://github.com/opencontainers/image-spec>, tar and overlay's marks; it
knows no containers, no registries and no Compose. Its functions block; the engine calls long ones from threads.
"""
