"""The vocabulary of the Open Container Initiative, as plain types that carry no behaviour of ours.

* `reference` `digest` `descriptor` `manifest` `config`   what images are made of and how they are named
  <https://github.com/opencontainers/image-spec>
* `runtime_spec`                                          what a container is: the `config.json` of a bundle
  <https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md>

Everything is a frozen dataclass that reads and writes the specification's JSON and nothing else: no file, no kernel, no
Compose. Attribute names are the specification's in snake case, so whoever knows the document knows the type. What a
document of ours may not contain is an error that names the key, never a value dropped on the way.
"""
