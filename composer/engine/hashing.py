"""The configuration hash: when it is the same, a container need not be made again.

It covers the whole `ContainerConfig`, so a new attribute is part of it without being named here. What is left out of the
hash is left out of `ContainerConfig` in the first place, each for its reason:

* replica count, profiles, `attach`, `depends_on`: they say when containers run, not what they are
* the file's path and the project directory: moving a project is no reason to interrupt it
* `build`, `pull_policy`: their outcome, the image's digest, is what counts
* addresses, ids and whatever else is only known once a container exists

And labels `com.docker.compose.*` are left out here, which we set ourselves and which repeat the list above.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import TypeAdapter

from composer.engine.labels import PREFIX
from composer.engine.world import ContainerConfig

_CONFIG: TypeAdapter[ContainerConfig] = TypeAdapter(ContainerConfig)


def config_hash(config: ContainerConfig) -> str:
    """64 hexadecimal digits that change exactly when the configuration does."""
    data = config_to_json(config)
    data["labels"] = {key: value for key, value in config.labels.items() if not key.startswith(PREFIX)}
    # The digest of a file tells its content; of a template, it tells the text that it renders to.
    data["files"] = [{**file, "content": "", "facts": ""} for file in data["files"]]
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()


def config_to_json(config: ContainerConfig) -> dict[str, Any]:
    """The configuration as JSON-able data."""
    data: dict[str, Any] = _CONFIG.dump_python(config, mode="json")
    return data
