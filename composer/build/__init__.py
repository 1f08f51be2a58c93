"""From a Dockerfile and a directory to an image, as BuildKit does it.

    text ─dockerfile.parse─▶ Dockerfile ─lower─▶ graph of operations ─keys─▶ ─solve─▶ image

* `dockerfile`  the language: text → instructions, variables, stages, what a build needs from outside, lint rules; pure
* `files`       what COPY and ADD read and write
* `builder`     `Builder.build(BuildOptions, report)`; `options` and `events` are its words, `bases` the images it stands on
* `lower`       instructions → `operations`: a graph, and the configuration to be (`stage`, `mounts`, `history`); pure
* `keys`        what enters a step's cache key and what does not; pure. `cache` keeps what each step made
* `solve`       finds or runs what a target needs, each step once (`flights`); `keyring` their keys, `perform` one of them,
                `layers` what it leaves, `settling` puts that in its place
* `worker`      the port for RUN; `inputs` what steps read, from `contexts`; `cachemounts` directories that last
* `exchange`    cached steps from elsewhere and for elsewhere: `cache_from`, `cache_to`
* `commit`      the image at the end; `housekeeping` what stays for the next builds; `why` a step was run again

Follows the Dockerfile reference <https://docs.docker.com/reference/dockerfile/> (BuildKit's syntax 1.x). This room knows
images and registries; it knows no Compose and no engine: running a step is a port that the engine fills.
"""
