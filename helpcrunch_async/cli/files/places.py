"""Places for customers' data: files that nobody else reads, or what takes rows as they come.

A file is made for its owner alone. One that is there is written to if it is the user's own; links are not
followed, since whoever may write to a folder can put one there.
"""

import io
import os
import stat
import sys
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from helpcrunch_async.cli.exits import CommandError, ExitCode

_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)  # not everywhere
_SYSTEMS: Final = ("/dev/", "/proc/")  # where links such as /dev/stdout are the system's own


def is_straight(path: Path) -> bool:
    """Tell whether rows go there as they come: stdout, a device, a pipe; it cannot be replaced."""
    return str(path) == "-" or (path.exists() and not path.is_file())


def is_own(status: os.stat_result) -> bool:
    """Tell whether something belongs to the user."""
    return sys.platform == "win32" or status.st_uid == os.geteuid()


def refuse_link(path: Path) -> None:
    """Let nobody choose by a link which file is written to.

    Raises:
        CommandError: it is a link.
    """
    if path.is_symlink() and not (is_straight(path) and str(path).startswith(_SYSTEMS)):
        raise CommandError(f"{path} is a link: name the file itself", ExitCode.USAGE)


def open_place(path: Path) -> io.FileIO:
    """Open a file of one's own to read it and to write behind what is there, or a device or pipe as it is.

    Raises:
        CommandError: it is a link, or another user's file.
        OSError: it cannot be opened.
    """
    refuse_link(path)
    straight = is_straight(path)
    more = 0 if path.is_symlink() else _NOFOLLOW

    def opener(name: str, flags: int) -> int:
        made = 0 if straight else flags & os.O_CREAT
        return os.open(name, flags & ~(os.O_CREAT | os.O_TRUNC) | made | more, 0o600)

    file = io.FileIO(path, "w" if straight else "a+", opener=opener)
    status = os.fstat(file.fileno())
    # it may be something else by now
    if stat.S_ISREG(status.st_mode) if straight else not (stat.S_ISREG(status.st_mode) and is_own(status)):
        file.close()
        raise CommandError(f"{path} is another user's: write elsewhere", ExitCode.USAGE)
    return file


def make_beside(path: Path) -> Path:
    """Make an empty file that is to take the place of another; it has the mode of one's own other.

    Raises:
        OSError: it cannot be made.
    """
    descriptor, name = mkstemp(prefix=f"{path.name[:50]}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    beside = Path(name)
    if path.is_file() and is_own(status := path.stat()):
        beside.chmod(stat.S_IMODE(status.st_mode))
    return beside
