"""Object files of programs on disk, by content.

A file `<fingerprint>` holds a checksum over fingerprint and code, then the code.  Files appear whole, by renaming, so readers
and writers need no lock.  What is truncated, tampered with, or under a false name is not run: it is deleted and made anew.
The folder has a bound; what was used longest ago goes first.
Nothing here is needed: where a folder cannot be written, programs are compiled in every process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from functools import cache

FORMAT = "wengert object 1"  # counts up when compiled programs and runtime no longer fit together
LIMIT = 2**28  # bytes
_CHECKSUM = hashlib.sha256().digest_size


def fingerprint(*parts: str) -> str:
    """A name for everything that a compiled program depends on."""
    digest = hashlib.sha256(FORMAT.encode())
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def default_folder() -> str:
    """Where this system keeps a user's caches."""
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or ""
        base = base if os.path.isabs(base) else os.path.join(home, ".cache")
    return os.path.join(base, "wengert")


@cache
def _cache_in(folder: str) -> Cache:
    return Cache(folder)


def default_cache() -> Cache:
    """The cache of this user."""
    return _cache_in(default_folder())


class Cache:
    """A folder of object files; `limit` is in bytes."""

    def __init__(self, folder: str, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self._size: int | None = None  # about how much is there, once it has been counted
        self._is_private: bool | None = None

    def get(self, key: str) -> bytes | None:
        """The code under a key, if it is there and whole."""
        if not self._is_ours():
            return None
        path = os.path.join(self.folder, key)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return None
        checksum, code = data[:_CHECKSUM], data[_CHECKSUM:]
        if checksum != _checksum(key, code):
            self._remove(path)
            return None
        with contextlib.suppress(OSError):  # for the order of going
            os.utime(path)
        return code

    def put(self, key: str, code: bytes) -> None:
        """Keep code under a key."""
        if not self._is_ours():
            return
        temporary = None
        try:
            handle, temporary = tempfile.mkstemp(prefix="new-", dir=self.folder)
            with os.fdopen(handle, "wb") as file:
                file.write(_checksum(key, code) + code)
            os.replace(temporary, os.path.join(self.folder, key))
        except OSError:  # a full disk, a folder that went: the program runs all the same
            if temporary is not None:
                self._remove(temporary)
            return
        self._trim(len(code) + _CHECKSUM)

    def clear(self) -> None:
        """Delete everything."""
        for _, _, path in list(self._files()):
            self._remove(path)
        self._size = None

    def _is_ours(self) -> bool:
        """Whether nobody else can write here: code is only read from a folder of one's own."""
        if self._is_private is None:
            self._is_private = _own_folder(self.folder)
        return self._is_private

    def _trim(self, added: int) -> None:
        """Stay below the limit, with a tenth to spare."""
        if self._size is None:
            self._size = sum(size for _, size, _ in self._files())
        else:
            self._size += added
        if self._size <= self.limit:
            return
        files = sorted(self._files())
        self._size = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._size <= self.limit * 0.9:
                return
            self._remove(path)
            self._size -= size

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """(last use, size, path) of every file."""
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # another process may have taken it away
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        yield found.st_mtime, found.st_size, entry.path

    @staticmethod
    def _remove(path: str) -> None:
        with contextlib.suppress(OSError):
            os.remove(path)


def _checksum(key: str, code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + code).digest()


def _own_folder(folder: str) -> bool:
    """Make the folder if need be; say whether it is this user's, and only this user's to write in."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        found = os.stat(folder)
    except OSError:
        return False
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
