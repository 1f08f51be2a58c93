"""From a Dockerfile and a directory to an image, as BuildKit does it.

    text ─dockerfile.parse─▶ Dockerfile ─lower─▶ graph of operations ─keys─▶ ─solve─▶ image

* `dockerfile`  the language: text → instructions, variables, stages, what a build needs from outside, lint rules; pure
* `files`       what COPY and ADD read and write

Follows the Dockerfile reference <https://docs.docker.com/reference/dockerfile/> (BuildKit's syntax 1.x). This room knows
images and registries; it knows no Compose and no engine: running a step is a port that the engine fills.
"""
