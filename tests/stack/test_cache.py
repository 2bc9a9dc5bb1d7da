"""A download is kept whole or not at all, and unpacked without leaving its folder."""

import io
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from stack.cache import default_cache, kept, unpack_tar, unpack_zip_member
from stack.errors import NotFetched


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    filled: list[Path] = []

    def fill(into: Path) -> None:
        filled.append(into)
        (into / "program").write_text("whole")

    place = tmp_path / "deep" / "kafka-1"
    assert kept(place, fill) == place
    assert kept(place, fill) == place
    assert len(filled) == 1
    assert (place / "program").read_text() == "whole"


def test_a_download_cut_short_leaves_nothing(tmp_path: Path) -> None:
    def cut_short(into: Path) -> None:
        (into / "program").write_text("ha")
        raise NotFetched("the line was cut")

    place = tmp_path / "kafka-1"
    with pytest.raises(NotFetched):
        kept(place, cut_short)
    assert not place.exists()
    assert [left.name for left in tmp_path.iterdir()] == ["kafka-1.lock"]


def test_who_comes_second_waits_for_the_first(tmp_path: Path) -> None:
    place = tmp_path / "kafka-1"
    inside, go_on = threading.Event(), threading.Event()
    filled: list[str] = []

    def slowly(into: Path) -> None:
        inside.set()
        assert go_on.wait(timeout=20)
        filled.append("first")
        (into / "program").touch()

    first = threading.Thread(target=kept, args=(place, slowly))
    first.start()
    assert inside.wait(timeout=20)
    second = threading.Thread(target=kept, args=(place, lambda _into: filled.append("second")))
    second.start()
    go_on.set()
    first.join(timeout=20)
    second.join(timeout=20)
    assert filled == ["first"]


def test_the_user_chooses_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "stripeline"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "stripeline"


def test_a_member_of_a_zip_file_that_holds_a_tar_file_is_unpacked(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as archive:
        program = tarfile.TarInfo("bin/postgres")
        program.size, program.mode = 4, 0o755
        archive.addfile(program, io.BytesIO(b"code"))
    jar = tmp_path / "postgres.jar"
    with zipfile.ZipFile(jar, "w") as outer:
        outer.writestr("META-INF/MANIFEST.MF", "")
        outer.writestr("postgres-linux-x86_64.txz", inner.getvalue())
    packed = unpack_zip_member(jar, ending=".txz", into=tmp_path)
    unpack_tar(packed, tmp_path / "out")
    unpacked = tmp_path / "out" / "bin" / "postgres"
    assert unpacked.read_bytes() == b"code"
    assert unpacked.stat().st_mode & 0o100


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../escaped", tarfile.REGTYPE, ""),
        ("/escaped", tarfile.REGTYPE, ""),
        ("inside", tarfile.SYMTYPE, "../escaped"),
        ("inside", tarfile.LNKTYPE, "../escaped"),
        ("inside", tarfile.FIFOTYPE, ""),
    ],
)
def test_an_archive_never_writes_outside_of_its_folder(
    tmp_path: Path, name: str, kind: bytes, link: str
) -> None:
    bad = tmp_path / "bad.tar"
    with tarfile.open(bad, "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member)
    with pytest.raises(NotFetched, match=r"bad\.tar would write outside"):
        unpack_tar(bad, tmp_path / "out")
    assert sorted(place.name for place in tmp_path.iterdir()) == ["bad.tar"]


def test_links_within_an_archive_are_unpacked(tmp_path: Path) -> None:
    good = tmp_path / "good.tar"
    with tarfile.open(good, "w") as archive:
        library = tarfile.TarInfo("lib/libpq.so.5")
        library.size = 4
        archive.addfile(library, io.BytesIO(b"code"))
        link = tarfile.TarInfo("lib/libpq.so")
        link.type, link.linkname = tarfile.SYMTYPE, "libpq.so.5"
        archive.addfile(link)
    unpack_tar(good, tmp_path / "out")
    assert (tmp_path / "out" / "lib" / "libpq.so").read_bytes() == b"code"


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "registry.tar.gz"
    broken.write_bytes(content)
    with pytest.raises(NotFetched, match=r"registry\.tar\.gz"):
        unpack_tar(broken, tmp_path / "out")
    with pytest.raises(NotFetched, match=r"registry\.tar\.gz"):
        unpack_zip_member(broken, ending=".txz", into=tmp_path)
