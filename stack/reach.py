"""What another user can enter: every folder on the way must let it through."""

import os
import pwd
import stat
from pathlib import Path

from stack.errors import StackError


def reachable(folder: Path, user: str) -> bool:
    """Whether `user` may pass through every folder down to `folder`, this one included."""
    entry = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, entry.pw_gid))
    whole = folder.resolve()
    way = [place for place in (whole, *whole.parents) if place.exists()]
    return all(_passes(place.stat(), uid=entry.pw_uid, groups=groups) for place in way)


def open_place() -> Path:
    """A folder of ours that every user may enter, for what does not fit below a closed home.

    Raises:
        StackError: somebody else made it, and could change what is run from it.
    """
    place = Path("/var/tmp") / f"stripeline-{os.geteuid()}"  # noqa: S108 - its owner is checked
    place.mkdir(mode=0o755, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StackError(f"{place} belongs to another user. Remove it, or have it removed.")
    place.chmod(0o755)
    return place


def _passes(found: os.stat_result, *, uid: int, groups: set[int]) -> bool:
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid in groups:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
