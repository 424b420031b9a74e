"""Files of a run directory, on a local path or any file system that pyarrow opens (s3://, gs://).

A file is written completely or not at all, and where the first one counts the first one is kept.
"""

import contextlib
import errno
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyarrow import fs as pafs

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.checksums import CHECKSUM, is_intact, with_checksum

# What a file system answers that has no hard links.
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
FULL = {errno.ENOSPC, errno.EDQUOT}
# A process holds the place of one file for milliseconds; one that died may not hold it for ever.
PLACE_TIMEOUT_S, PLACE_POLL_S = 20.0, 0.02


def _unreachable(location: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:300]
    return UserError(
        f"{location}: cannot be read: {reason}; check scheme, bucket, region and credentials"
    )


class Files:
    """The files below one location."""

    def __init__(self, location: str) -> None:
        self.location = location
        if "://" in location:
            try:
                self.fs, self.root = pafs.FileSystem.from_uri(location)
            except (ValueError, OSError) as error:
                raise _unreachable(location, error) from None
        else:
            self.fs, self.root = pafs.LocalFileSystem(), str(Path(location).absolute())
        self.local = isinstance(self.fs, pafs.LocalFileSystem)
        # A worker has another working directory, so a relative path would not do.
        self.location_on_workers = self.root if self.local else location

    def path(self, *parts: str) -> str:
        """The path of ``parts`` below the root, inside the store's file system."""
        return "/".join((self.root, *parts))

    def own_path(self, *parts: str) -> str:
        """The local path of ``parts``, to be written to.

        Raises:
            UserError: it leads through a link, out of a run directory that may be a stranger's.
        """
        for n in range(1, len(parts) + 1):
            path = Path(self.path(*parts[:n]))
            if self.local and path.is_symlink():
                raise UserError(
                    f"{path}: is a link, and nothing is written through links inside a run "
                    "directory, which may be a stranger's; replace it by what it leads to, or "
                    "choose the place with --runs"
                )
        return self.path(*parts)

    def exists(self, *parts: str) -> bool:
        """Whether there is something at ``parts``."""
        try:
            kind = self.fs.get_file_info(self.path(*parts)).type
        except OSError as error:
            raise _unreachable(self.location, error) from None
        return kind != pafs.FileType.NotFound

    def read_bytes(self, *parts: str) -> bytes:
        """The content of a file. Raises FileNotFoundError, or UserError where it is no file."""
        path = self.path(*parts)
        kind = self.fs.get_file_info(path).type
        if kind not in (pafs.FileType.File, pafs.FileType.NotFound):  # a pipe would never end
            raise UserError(f"{path}: is no regular file; move it away")
        with self.fs.open_input_stream(path) as stream:
            return bytes(stream.read())

    def write(self, content: bytes, *parts: str, keep_first: bool = False) -> bool:
        """Write a file completely or not at all.

        Args:
            content: The bytes.
            parts: The path below the root.
            keep_first: Keep a file that exists.

        Returns:
            Whether this call wrote the file.

        Raises:
            UserError: the place cannot be written, or leads through a link.
        """
        try:
            return self._write(content, *parts, keep_first=keep_first)
        except OSError as error:
            raise self.unwritable(error) from None

    def unwritable(self, error: OSError) -> UserError:
        """The message for a place that cannot be written."""
        reason = error.strerror or " ".join(str(error).split())
        remedy = "free some space" if error.errno in FULL else "make it writable"
        return UserError(
            f"{self.root}: cannot be written: {reason}; {remedy}, or choose another place with "
            "--runs"
        )

    def _write(self, content: bytes, *parts: str, keep_first: bool) -> bool:
        target = self.own_path(*parts)
        self.fs.create_dir(target.rsplit("/", 1)[0], recursive=True)
        if not self.local:  # an object appears when its stream is closed
            if keep_first and self.exists(*parts):
                return False
            with self.fs.open_output_stream(target) as stream:
                stream.write(content)
            return True
        # Readers of a folder skip names that begin with a dot.
        unique = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        temporary = Path(target).with_name(f".{Path(target).name}.{unique}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if keep_first:
                return _place_first(temporary, Path(target))
            temporary.replace(target)
            return True
        finally:
            temporary.unlink(missing_ok=True)

    def require_writable(self) -> None:
        """Return where files can be written. Raises UserError; long work asks before it starts."""
        self.write(b"", "writable.tmp")
        self.remove("writable.tmp")

    def remove(self, *parts: str) -> None:
        """Delete a file; nothing happens where there is none."""
        with contextlib.suppress(FileNotFoundError, OSError):
            self.fs.delete_file(self.own_path(*parts))

    def clear(self, *parts: str) -> None:
        """Delete a folder and its contents; nothing happens where there is none."""
        if self.exists(*parts):
            self.fs.delete_dir(self.own_path(*parts))

    def move(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Move a file or folder. Raises UserError where the place cannot be written."""
        try:
            to = self.own_path(*target)
            self.fs.create_dir(to.rsplit("/", 1)[0], recursive=True)
            self.fs.move(self.path(*source), to)
        except OSError as error:
            raise self.unwritable(error) from None

    def listing(self, folder: str) -> dict[str, bool]:
        """What is in a folder by name, each with whether it is a regular file, sorted."""
        selector = pafs.FileSelector(self.path(folder), allow_not_found=True)
        infos = self.fs.get_file_info(selector) if not self._is_file(folder) else []
        is_file = {info.base_name: info.type == pafs.FileType.File for info in infos}
        return dict(sorted(is_file.items()))

    def _is_file(self, folder: str) -> bool:
        """Whether there is a file where a folder should be."""
        kind = self.fs.get_file_info(self.path(folder)).type
        return kind not in (pafs.FileType.Directory, pafs.FileType.NotFound)

    def names(self, folder: str, suffix: str) -> list[str]:
        """The names of files in ``folder`` that end with ``suffix``, without it, sorted."""
        files = [name for name, is_file in self.listing(folder).items() if is_file]
        return [name.removesuffix(suffix) for name in files if name.endswith(suffix)]

    def write_json(self, content: Mapping[str, Any], *parts: str, keep_first: bool = False) -> bool:
        """Write a JSON file with its checksum; as `write`."""
        text = json.dumps(with_checksum(content), indent=1, allow_nan=False)
        return self.write(text.encode(), *parts, keep_first=keep_first)

    def read_json(self, *parts: str) -> dict[str, Any]:
        """A JSON file, without its checksum.

        Raises:
            FileNotFoundError: there is none.
            UserError: it is not JSON, or not what was written.
        """
        content = self._parsed(*parts)
        if is_intact(content) is False:
            raise UserError(
                f"{self.path(*parts)}: was changed after it was written: its checksum differs; "
                "restore it; `mutransfer doctor` says what else can be done"
            )
        content.pop(CHECKSUM, None)
        return content

    def _parsed(self, *parts: str) -> dict[str, Any]:
        try:
            content = json.loads(self.read_bytes(*parts))
            json.dumps(content, ensure_ascii=False).encode()  # JSON can hold half a character
            if not isinstance(content, dict):
                raise ValueError("its content is no object")
        except UserError:
            raise
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{self.path(*parts)}: is not JSON ({error}); restore it, or move the run "
                "directory away and run again; `mutransfer doctor` says what else can be done"
            ) from None
        return content

    def has_checksum(self, *parts: str) -> bool:
        """Whether a JSON file has a checksum; one of an earlier version has none."""
        return CHECKSUM in self._parsed(*parts)


def _place_first(temporary: Path, target: Path) -> bool:
    """Give a finished file its name unless there is one; whether it was done."""
    try:
        os.link(temporary, target)  # fails where the file exists, which is kept
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    else:
        return True
    with _alone_at(target):
        if target.exists():
            return False
        temporary.rename(target)
        return True


@contextlib.contextmanager
def _alone_at(target: Path) -> Iterator[None]:
    """Keep other processes from placing the same file, where there are no hard links."""
    place = target.with_name(f".{target.name}.place.tmp")
    deadline = time.monotonic() + PLACE_TIMEOUT_S
    while True:
        try:
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            if time.monotonic() > deadline:  # its process died
                place.unlink(missing_ok=True)
                deadline = time.monotonic() + PLACE_TIMEOUT_S
            time.sleep(PLACE_POLL_S)
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
