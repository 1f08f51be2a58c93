"""BuildKit's lint rules, by its names and in its words.

* `check.check`   every finding of a file, as `LintReport`
* `rules.RULES`   the rules themselves: name, description, page, what to do
* `options`       `# check=skip=…;error=true` at the top of a file, and `# check=skip=…` right above one instruction
* `naming` `bases` `walk`   what finds them: how things are named and written, FROM, and what an instruction is worth in its stage
* `finding`       one thing found, with its place

Nothing is fetched: what depends on a base image is found as far as the caller knows the image's config.
<https://docs.docker.com/reference/build-checks/>
"""
