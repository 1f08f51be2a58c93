"""Where a container's data lives that is to outlive it: volumes, and directories of this machine that are bound.

* `volumes` `Volumes`: named and anonymous volumes, a directory each below the data directory
* `bind`    `prepare_bind`: the source of a bind mount, made if Compose would make it

Filling a new volume from the image is a step of the container's init, where image and volume are both mounted; which
project a volume belongs to, its labels and whether it was filled are in the engine's database. This room knows neither
images nor containers. It follows the Compose specification, "Volumes top-level element"
<https://github.com/compose-spec/compose-spec/blob/main/07-volumes.md>.
"""

from composer.volume.bind import prepare_bind
from composer.volume.volumes import Volumes, anonymous_name

__all__ = ["Volumes", "anonymous_name", "prepare_bind"]
