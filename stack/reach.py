"""Whether another user can enter a folder: every folder on the way must let it through."""

import os
import pwd
import stat
from pathlib import Path


def reachable(folder: Path, user: str) -> bool:
    """Whether `user` may pass through every folder down to `folder`, this one included."""
    entry = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, entry.pw_gid))
    whole = folder.resolve()
    way = [place for place in (whole, *whole.parents) if place.exists()]
    return all(_passes(place.stat(), uid=entry.pw_uid, groups=groups) for place in way)


def _passes(found: os.stat_result, *, uid: int, groups: set[int]) -> bool:
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid in groups:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
