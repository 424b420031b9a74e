"""One driver at a time in a run directory."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.files import Files

FILE = ".lock"
BUSY = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


@contextlib.contextmanager
def held(files: Files) -> Iterator[None]:
    """Keep other drivers out of the run directory; freed when the process dies.

    Object stores have no lock, but there, too, the first part written for a trial is kept.

    Raises:
        UserError: another process runs this study, or the place cannot be written.
    """
    if not files.local:
        yield
        return
    import fcntl

    try:
        Path(files.root).mkdir(parents=True, exist_ok=True)
        file = Path(files.own_path(FILE)).open("a")  # noqa: SIM115  # closed below
    except OSError as error:
        raise files.unwritable(error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise busy(files) from None
        yield


def busy(files: Files, who: str = "") -> UserError:
    """The message for a run directory that another driver works in."""
    return UserError(
        f"{files.root}: another `mutransfer run`{who} is running this study; wait for it, stop it, "
        "or use another --runs directory"
    )
