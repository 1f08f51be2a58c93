"""Images from and to registries: the client of the OCI distribution specification.

* `pull.Puller` `push.Pusher`   an image into the store, and out of it; each content fetched once, however many ask
* `platforms` `layers`          which of the images behind a name, and what it consists of
* `access.Access`               what the user has: registries.toml, Docker's credentials, proxies; read for each request
* `client.Client`               the endpoints of an image's registry, its mirrors first
* `repository.Repository`       manifests and blobs of one repository, at one endpoint
* `connection`                  one endpoint: scheme, authorisation (`challenge`, `authorize`), redirects
* `transport` `session`         HTTP itself; `session`, imported when something is asked, is the only module that knows aiohttp
* `failures` `retry`            what a registry's refusal means, and which are worth another attempt

A registry is hostile: no digest, size, type or redirect of its is believed, no body is read further than it may be long,
credentials go to nobody but the host that they are for, and secrets never stand in a message.

This room knows the OCI distribution specification <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>
and the store; it knows no Compose. It runs on the event loop; what takes time (unpacking) happens in threads.
"""
