"""Downloads, kept once for all clones: made whole beside their place, then moved there."""

import fcntl
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stack.errors import NotFetched


def default_cache() -> Path:
    """The user's own cache folder for this project."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if chosen else Path.home() / ".cache") / "stripeline"


def kept(place: Path, fill: Callable[[Path], None]) -> Path:
    """The folder `place`, filled by `fill` where it is not there yet.

    `fill` gets an empty folder beside `place`; what it leaves is moved in one step, so that a
    download cut short is never taken for a whole one. A second process waits for the first.
    """
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            _fill(place, fill)
    return place


def _fill(place: Path, fill: Callable[[Path], None]) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
    try:
        fill(fresh)
        fresh.chmod(0o755)
        fresh.rename(place)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def unpack_tar(archive: Path, into: Path) -> None:
    """Unpack a tar file, however it is compressed.

    Raises:
        NotFetched: it is not whole, or would write outside of `into`.
    """
    # Python has the filter since 3.11.4; what it refuses is refused below in any case.
    options: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                if not _stays_inside(member, into.resolve()):
                    raise NotFetched(f"{archive.name} would write outside of its folder.")
            opened.extractall(into, **options)  # noqa: S202 - each member was looked at
    except (tarfile.TarError, OSError, EOFError) as error:
        raise NotFetched(f"{archive.name} cannot be unpacked: {error}") from error


def _stays_inside(member: tarfile.TarInfo, folder: Path) -> bool:
    place = folder / member.name
    places = [place]
    if member.issym():
        places.append(place.parent / member.linkname)
    elif member.islnk():
        places.append(folder / member.linkname)
    elif not (member.isfile() or member.isdir()):
        return False
    return all(Path(os.path.normpath(one)).is_relative_to(folder) for one in places)


def unpack_zip_member(archive: Path, *, ending: str, into: Path) -> Path:
    """The one member of a zip file whose name ends so, unpacked.

    Raises:
        NotFetched: it is not whole, or has no such member.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if name.endswith(ending)]
            if len(names) != 1:
                raise NotFetched(f"{archive.name} holds {len(names)} files that end in {ending}.")
            return Path(opened.extract(names[0], into))
    except (zipfile.BadZipFile, OSError) as error:
        raise NotFetched(f"{archive.name} cannot be unpacked: {error}") from error
