"""Reads what an image is made from: the Dockerfile, the files that it takes from contexts, the images it stands on.

Of a context only what some instruction of the target's stages names counts; a name that holds a variable is taken to mean
everything. Files are known by kind, permissions and content; an unchanged one costs its `stat(2)` (`files.contents`).
"""

from __future__ import annotations

import base64
import json
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from composer.build.dockerfile.instructions import Add, Copy, Instruction, Run
from composer.build.dockerfile.parse import parse
from composer.build.dockerfile.references import references
from composer.build.dockerfile.sources import is_remote
from composer.build.dockerfile.stages import Stages, context_name, link
from composer.build.files import ContentCache, FilesError, Tree, open_context, select
from composer.build.files.context import CONTEXT
from composer.build.files.entry import Entry, walk
from composer.engine.building.builds import CONTEXT_OF
from composer.engine.building.describe import arguments
from composer.engine.building.errand import Errand
from composer.engine.building.freshness import Inputs, digest_of, is_local, settings_of
from composer.engine.building.platforms import choose_platform
from composer.engine.configure import image_reference
from composer.engine.plan import BuildImage
from composer.errors import BuildError, ImageError, UsageError
from composer.image.store import Store as Images
from composer.lock.pins import Pins
from composer.oci.platform import parse_platform, this_platform

_IMAGE = "docker-image://"
_LAYOUT = "oci-layout://"

Trees = dict[str, Tree]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one instruction takes from a context."""

    context: str
    """By name; "" is the build's own."""
    sources: tuple[str, ...]
    parents: bool = False
    excludes: tuple[str, ...] = ()


class Reader:
    """Reads inputs; everything here blocks."""

    def __init__(self, contents: Callable[[], ContentCache], images: Images) -> None:
        """`contents` gives what is known of files, when it is first asked for."""
        self._contents = contents
        self._images = images

    def read(
        self, operation: BuildImage, errand: Errand, salt: str, *, files: bool = True, trees: Trees | None = None
    ) -> Inputs | None:
        """What there is now; None where the build's own directory is not here any more. Without `files` none are read.

        `trees` gets the contexts that were looked at, by name.
        """
        build = operation.build
        if is_local(build.context) and not Path(build.context).is_dir():
            return None
        settings = settings_of(build, operation.platform, salt)
        name, text = self.dockerfile(operation)
        if text is not None:
            settings[f"dockerfile.{name}".rstrip(".")] = digest_of(salt, text)
        for key, value in build.additional_contexts.items():
            if value.startswith(_LAYOUT):
                settings[f"additional_contexts.{key}"] = _digest_of_layout(value)
        stages = self._stages(operation, errand)
        found = (
            dict(self._files(operation, stages, {} if trees is None else trees)) if files and stages is not None else {}
        )
        return Inputs(settings, self._base_images(operation, errand, stages), found)

    def images(self, operation: BuildImage, errand: Errand) -> dict[str, str]:
        """The images that a build stands on, as they are now: ids by reference, "" for one that is not here."""
        return self._base_images(operation, errand, self._stages(operation, errand))

    def dockerfile(self, operation: BuildImage) -> tuple[str, str | None]:
        """The Dockerfile's name and text; "" is the name of one that stands in the Compose file, None a text elsewhere."""
        build = operation.build
        if build.dockerfile_inline is not None:
            return "", build.dockerfile_inline
        name = build.dockerfile or "Dockerfile"
        if not is_local(build.context):
            return name, None
        try:
            return name, Path(build.context, name).read_text("utf-8", "surrogateescape")
        except OSError:
            return name, ""

    def _stages(self, operation: BuildImage, errand: Errand) -> Stages | None:
        """The stages of the Dockerfile; None where it is elsewhere, or wrong: that, the build itself will say."""
        build = operation.build
        _, text = self.dockerfile(operation)
        if not text:
            return None
        try:
            platform = choose_platform(operation.platform, build.platforms)
            return link(
                parse(text, shown_name(operation)),
                args=arguments(build, errand),
                build=this_platform(),
                platform=parse_platform(platform) if platform else this_platform(),
                target=build.target or "",
                contexts=build.additional_contexts,
            )
        except (BuildError, UsageError):
            return None

    def _files(self, operation: BuildImage, stages: Stages, opened: Trees) -> Iterator[tuple[str, str]]:
        build = operation.build
        places = {"": build.context, **{context_name(name): value for name, value in build.additional_contexts.items()}}
        beside = Path(build.context, build.dockerfile) if build.dockerfile else None
        for wanted in _wanted(stages, build.target or ""):
            place = places.get(wanted.context, "")
            if not is_local(place):
                continue
            prefix = f"{wanted.context}: " if wanted.context else ""
            try:
                if wanted.context not in opened:
                    own = beside if not wanted.context else None
                    name = f"the context `{wanted.context}`" if wanted.context else CONTEXT
                    opened[wanted.context] = open_context(Path(place), self._contents(), dockerfile=own, name=name)
                tree = opened[wanted.context]
                chosen = select(tree, wanted.sources, parents=wanted.parents, excludes=wanted.excludes)
            except FilesError as error:
                yield prefix + (error.path or wanted.sources[0]), error.reason.value
                continue
            for item in chosen.items:
                place = f"{prefix}{item.path}"
                inside = f"{place}/" if item.path else place
                for below, entry in walk(item.entry):
                    if below or item.path:
                        yield inside + below if below else place, _digest_of_entry(entry)

    def _base_images(self, operation: BuildImage, errand: Errand, stages: Stages | None) -> dict[str, str]:
        project, build = errand.project, operation.build
        names: dict[str, str] = {}
        if stages is not None:
            try:
                names |= {each.reference: each.reference for each in references(stages, build.target or "")}
            except BuildError:
                names = {}
        for value in build.additional_contexts.values():
            if value.startswith(_IMAGE):
                names[value.removeprefix(_IMAGE)] = value.removeprefix(_IMAGE)
            elif value.startswith(CONTEXT_OF):
                service = {**project.services, **project.disabled}[value.removeprefix(CONTEXT_OF)]
                names[f"the image of {service.name}"] = image_reference(project, service)
        return {shown: self._id_of(reference, errand.pins) for shown, reference in names.items()}

    def _id_of(self, reference: str, pins: Pins) -> str:
        try:
            found = (self._images.find(spelling) for spelling in pins.spellings(reference))
            image = next((each for each in found if each is not None), None)
        except ImageError:
            return ""  # no reference at all, or a damaged image: no reason to build, and none not to
        if image is None and (pin := pins.image(reference)):
            return str(pin.digest)  # what the lock says, and nobody has it yet: another than was built upon
        return image.id if image is not None else ""


def _wanted(stages: Stages, target: str) -> Iterator[Wanted]:
    """What the target's stages take from contexts."""
    try:
        reachable = stages.reachable(target)
    except BuildError:
        return
    for stage in reachable:
        linked = stages.linked[stage.index]
        if linked.base is None and stages.is_context(linked.image):
            yield Wanted(context_name(linked.image), (".",))
        for instruction in stages.instructions(stage):
            yield from _taken(stages, instruction)


def _taken(stages: Stages, instruction: Instruction) -> Iterator[Wanted]:
    match instruction:
        case Copy(sources=sources, source_stage=name, parents=parents, excludes=excludes):
            if sources and (not name or stages.is_context(name)):
                yield _as_known(Wanted(context_name(name), sources, parents, excludes))
        case Add(sources=sources, excludes=excludes):
            if local := tuple(source for source in sources if not is_remote(source)):
                yield _as_known(Wanted("", local, excludes=excludes))
        case Run(mounts=mounts):
            for mount in mounts:
                fields = dict(part.partition("=")[::2] for part in mount.text.split(","))
                if fields.get("type", "bind") == "bind" and context_name(mount.source_stage) in {"", *stages.contexts}:
                    source = fields.get("source") or fields.get("src") or "."
                    yield _as_known(Wanted(context_name(mount.source_stage), (source,)))
        case _:
            return


def _as_known(wanted: Wanted) -> Wanted:
    """With everything for what a variable says."""
    if any("$" in each for each in (*wanted.sources, *wanted.excludes)):
        return Wanted(wanted.context, (".",))
    return wanted


def _digest_of_entry(entry: Entry) -> str:
    # A link's permissions mean nothing, and a directory's are no part of a change people would call one.
    mode = entry.mode if entry.is_file else stat.S_IFMT(entry.mode)
    return f"{mode:o} {entry.content[:16].hex()}{entry.link}"


def _digest_of_layout(value: str) -> str:
    directory = value.removeprefix(_LAYOUT).partition("@")[0]
    path = Path(directory) if Path(directory).is_dir() else Path(directory.rpartition(":")[0])
    try:
        return digest_of((path / "index.json").read_text("utf-8", "surrogateescape"))
    except OSError:
        return ""


def shown_name(operation: BuildImage) -> str:
    """What messages call the Dockerfile: its path, or where it stands in the Compose file."""
    build = operation.build
    if build.dockerfile_inline is not None:
        return f"services.{operation.service}.build.dockerfile_inline"
    name = build.dockerfile or "Dockerfile"
    return str(Path(build.context, name)) if is_local(build.context) else name


def pack(files: Mapping[str, str]) -> str:
    """Digests by path, small enough to be kept with the engine's records."""
    text = json.dumps(dict(sorted(files.items())), separators=(",", ":")).encode("utf-8", "surrogatepass")
    return base64.b64encode(zlib.compress(text, 1)).decode()  # in C, which b85 is not


def unpack(packed: str) -> dict[str, str]:
    """What was packed; nothing where it was packed in another way, which costs a build that is cached."""
    try:
        text = zlib.decompress(base64.b64decode(packed, validate=True))
    except (ValueError, zlib.error):
        return {}
    files: dict[str, str] = json.loads(text.decode("utf-8", "surrogatepass"))
    return files
