"""Whether an image comes out the same when it is built again: built once more without the cache, and compared."""

from __future__ import annotations

from composer.errors import ImageError
from composer.image.difference import TIMES, first_difference
from composer.image.image import Image


def check_same(name: str, first: Image, second: Image) -> None:
    """Raise ImageError, naming the first file that differs, where two images of one definition are not the same."""
    mine, theirs = first.config.diff_ids, second.config.diff_ids
    for number, (one, other) in enumerate(zip(mine, theirs, strict=False)):
        if one != other:
            raise _differing_layer(name, first, second, number)
    if len(mine) != len(theirs):
        raise ImageError(f"`{name}` is not reproducible: it has {len(mine)} layers, and {len(theirs)} built again")
    if first.id != second.id:
        raise ImageError(
            f"`{name}` is not reproducible: its layers are the same, its configuration is not",
            hint="set `SOURCE_DATE_EPOCH` so that it does not say when it was made",
        )


def _differing_layer(name: str, first: Image, second: Image, number: int) -> ImageError:
    steps = [entry.created_by for entry in first.config.history if not entry.empty_layer]
    step = f" (`{steps[number]}`)" if number < len(steps) and steps[number] else ""
    # Layers stand topmost first there, DiffIDs from the bottom up.
    place = len(first.config.diff_ids) - 1 - number
    found = first_difference(first.layers[place], second.layers[len(second.config.diff_ids) - 1 - number])
    if found is None:
        return ImageError(f"`{name}` is not reproducible: layer {number + 1}{step} differs")
    what = found.what if found.what.startswith("is ") else f"differs in {found.what}"
    return ImageError(
        f"`{name}` is not reproducible: `{found.path}` of layer {number + 1}{step} {what}",
        hint="set `SOURCE_DATE_EPOCH`: no time in the image is later then"
        if found.what == TIMES
        else "look at what that step writes: a date, a random value, an order that is left to chance",
    )
