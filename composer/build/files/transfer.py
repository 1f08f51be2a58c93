"""Bytes from one file to another: shared where the file system can, in the kernel where files are large, holes left holes."""

from __future__ import annotations

import errno
import fcntl
import os

_SMALL = 1 << 17
_STEP = 1 << 26
_FICLONE = 0x40049409
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ETXTBSY, errno.EBADF)
_NEVER_SHARED = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV)


class Transfer:
    """Copies contents; remembers what the file systems at hand do not support."""

    def __init__(self) -> None:
        self._shares = True
        self._in_kernel = True

    def copy(self, source: int, target: int, status: os.stat_result) -> None:
        """All of the regular file `source` to the empty file `target`. Raises OSError."""
        size = status.st_size
        if size <= _SMALL:
            # One read: of a regular file the kernel gives less than was asked for only at its end.
            data = os.read(source, size) if size else b""
            while data:
                data = data[os.write(target, data) :]
            return
        if self._shares and self._share(source, target):
            return
        if status.st_blocks * 512 < size:
            self._copy_data(source, target, size)
        else:
            self._copy_range(source, target, 0, size)

    def _share(self, source: int, target: int) -> bool:
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno in _NEVER_SHARED:
                self._shares = False
            elif error.errno not in _NOT_HERE:
                raise
            return False
        return True

    def _copy_data(self, source: int, target: int, size: int) -> None:
        """Only what is no hole."""
        end = 0
        while end < size:
            try:
                start = os.lseek(source, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nothing but a hole is left
                    break
                raise
            end = os.lseek(source, start, os.SEEK_HOLE)
            self._copy_range(source, target, start, min(end, size))
        os.ftruncate(target, size)

    def _copy_range(self, source: int, target: int, start: int, end: int) -> None:
        while start < end and self._in_kernel:
            try:
                copied = os.copy_file_range(source, target, min(end - start, _STEP), start, start)
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                self._in_kernel = False
                break
            if not copied:
                return  # it shrank; whoever asked notices
            start += copied
        while start < end:
            data = os.pread(source, min(end - start, 1 << 20), start)
            if not data:
                return
            while data:
                written = os.pwrite(target, data, start)
                start += written
                data = data[written:]
