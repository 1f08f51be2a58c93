"""Archives among sources: what ADD unpacks."""

from __future__ import annotations

import io
import os

from composer.build.files.failures import while_reading
from composer.build.files.selection import Item
from composer.build.files.tree import Tree
from composer.errors import ImageError
from composer.image import compression
from composer.image.compression import DAMAGE
from composer.image.header import BLOCK, parse_header
from composer.image.merged import READ


def open_item(tree: Tree, item: Item) -> int:
    """A descriptor of a file among the sources, to be closed. Raises FilesError."""
    directory, _, name = item.path.rpartition("/")
    try:
        with tree.walker() as walker:
            return os.open(name, READ, dir_fd=walker.file_directory(directory, item.entry.layers[0]))
    except OSError as error:
        raise while_reading(item.path, error) from error


def is_archive(tree: Tree, item: Item) -> bool:
    """Whether a regular file is a tar archive in a compression we know: judged by its first bytes, never by its name."""
    with os.fdopen(open_item(tree, item), "rb") as file:
        return looks_like_archive(file)


def looks_like_archive(file: io.BufferedReader) -> bool:
    """Whether a tar header stands at the beginning, behind decompression."""
    kind = compression.detect(file.peek(compression.MAGIC_LENGTH))
    try:
        block = b""
        reader = compression.decompressed(file, kind)
        while len(block) < BLOCK and (data := reader.read(BLOCK - len(block))):
            block += data
        return len(block) == BLOCK and parse_header(block) is not None
    except ImageError:
        return False
    except DAMAGE:
        return False
