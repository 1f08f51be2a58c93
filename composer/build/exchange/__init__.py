"""Cached steps from elsewhere and for elsewhere: `cache_from` and `cache_to`, through a registry or a directory.

A cache travels as an ordinary image whose layers are those of the steps, in any order, and whose config says what each of
them is (`document`). An image that was built with `type=inline` says so of its own layers. So registries, mirrors and
credentials work as for any image, and a directory is an OCI image layout.

* `places`     what `type=registry,ref=…` and its kin mean
* `document`   the records in an image's config; pure
* `export` `take`  records and layers out of the cache, and into it
* `foreign`    caches that BuildKit wrote

BuildKit's own caches mean nothing here, nor ours to BuildKit: keys are of each builder's making. Taking a cache whose layers
are wrong makes wrong images, as anywhere: whoever may write to the place is trusted with what is built.
"""
