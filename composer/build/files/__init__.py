"""What COPY and ADD read and write: contexts, stages and downloads in, an overlay upper directory out.

* `open_context` `open_chain`  a `Tree` to copy from: a directory without what .dockerignore leaves out, or stacked layers
* `select`                     an instruction's sources in a tree: a `Selection` with the digest that cache keys need
* `inventory` `selected`       what is in a tree or selection, name by name, to say which file made a difference
* `copy`                       selections into a fresh upper directory, as the diff that BuildKit's COPY would leave
* `Remotes`                    ADD's addresses and git repositories, and contexts that are remote or archives
* `make_directory`             what WORKDIR makes
* `ContentCache`               digests of unchanged files, kept on disk
* `FilesError`                 whatever goes wrong, with its `Reason`; the caller knows the instruction and its place

Everything read is hostile: names, links, ignore files, archives, servers. Nothing is ever opened by a path with more than one
component, links are resolved as if the tree were the whole file system, and only regular files are opened.

This room follows the Dockerfile reference <https://docs.docker.com/reference/dockerfile/#copy> and, where that is silent,
what BuildKit does. It knows no instructions, no engine and no mounts. Its functions block; call long ones from threads.
"""

from composer.build.files.contents import ContentCache
from composer.build.files.context import open_chain, open_context, open_directory
from composer.build.files.copying import CopyOptions, copy, destination
from composer.build.files.failures import FilesError, Reason
from composer.build.files.git import GitAccess
from composer.build.files.git_reference import GitReference, parse_git
from composer.build.files.inventory import differing, inventory, selected
from composer.build.files.owner import Owner, needs_base, resolve_owner
from composer.build.files.permissions import Permissions, parse_permissions
from composer.build.files.remote import RemoteContext, Remotes
from composer.build.files.select import select
from composer.build.files.selection import Item, Selection, inline, is_bare
from composer.build.files.tree import Tree
from composer.build.files.workdir import make_directory

__all__ = [
    "ContentCache",
    "CopyOptions",
    "FilesError",
    "GitAccess",
    "GitReference",
    "Item",
    "Owner",
    "Permissions",
    "Reason",
    "RemoteContext",
    "Remotes",
    "Selection",
    "Tree",
    "copy",
    "destination",
    "differing",
    "inline",
    "inventory",
    "is_bare",
    "make_directory",
    "needs_base",
    "open_chain",
    "open_context",
    "open_directory",
    "parse_git",
    "parse_permissions",
    "resolve_owner",
    "select",
    "selected",
]
