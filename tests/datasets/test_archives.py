"""Archives of images: read as the folder that they hold, and nothing else comes out of them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from growsearch.datasets import archives, load, load_images
from growsearch.errors import DataError
from tests.messages import one_line
from tests.pictures import packed, picture, write_classes

pytestmark = pytest.mark.usefixtures("own_cache")

COUNTS = {"cat": 6, "dog": 6}


def pack(folder: Path, archive: Path, *, inside: Path = Path()) -> Path:
    every = sorted(folder.rglob("*.png"))
    files = {str(inside / path.relative_to(folder)): path for path in every}
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for name, path in files.items():
                zipped.write(path, name)
    else:
        kind = {".gz": "gz", ".tgz": "gz", ".xz": "xz", ".bz2": "bz2"}.get(archive.suffix, "")
        with tarfile.open(archive, f"w:{kind}") as bundle:  # type: ignore[call-overload]
            for name, path in files.items():
                bundle.add(path, name)
    return archive


@pytest.mark.parametrize("ending", archives.ENDINGS)
def test_an_archive_is_its_folder(tmp_path: Path, ending: str) -> None:
    """Tar and zip, with or without a folder around; unpacked once."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    plain = load_images(folder)
    for number, inside in enumerate((Path(), Path("some/where"))):
        archive = pack(folder, tmp_path / f"my.pets{number}{ending}", inside=inside)
        data = load_images(archive)
        assert data.fingerprint == plain.fingerprint
        assert data.class_names == ("cat", "dog")
        assert str(archive) in data.source
        assert data.name == ("where" if number else archive.name.removesuffix(ending))
        before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*")}
        assert load("mnist", archive).fingerprint == plain.fingerprint
        assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*")} == before


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/evil.png", "a\\..\\..\\e.png"]
)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_no_file_comes_out_of_its_place(tmp_path: Path, name: str, kind: str) -> None:
    """A path that leads out is refused, and nothing is left behind."""
    archive = tmp_path / f"a.{kind}"
    data = packed(picture())
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr(name, data)
    else:
        with tarfile.open(archive, "w") as bundle:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            bundle.addfile(info, io.BytesIO(data))
    with pytest.raises(DataError, match="expected paths within the archive") as raised:
        load_images(archive)
    one_line(raised)
    assert not list(tmp_path.rglob("*evil*"))
    assert not list((tmp_path / "cache" / "archives").iterdir())


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    """A link in an archive leads nowhere."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    archive = pack(folder, tmp_path / "a.tar")
    secret = tmp_path / "secret.png"
    secret.write_bytes(packed(picture(77)))
    with tarfile.open(archive, "a") as bundle:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo(f"cat/x{kind.decode()}.png")
            info.type, info.linkname = kind, str(secret)
            bundle.addfile(info)
    assert load_images(archive).fingerprint == load_images(folder).fingerprint
    assert not any(path.is_symlink() for path in (tmp_path / "cache").rglob("*"))


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    """Cut short, no archive at all, without images, under a password."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    for name in ("a.zip", "a.tar", "a.tar.gz", "a.tar.xz"):
        whole = pack(folder, tmp_path / name).read_bytes()
        for number, data in enumerate(
            (b"", b"no", whole[: len(whole) // 3], whole[: len(whole) // 2])
        ):
            archive = tmp_path / f"{number}{name}"
            archive.write_bytes(data)
            with pytest.raises(DataError) as raised:
                load_images(archive)
            assert str(archive) in one_line(raised)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as zipped:
        zipped.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"empty\.zip: expected a folder a class"):
        load_images(tmp_path / "empty.zip")
    data = bytearray(pack(folder, tmp_path / "locked.zip").read_bytes())
    place = data.index(b"PK\x01\x02")
    while place >= 0:
        data[place + 8] |= 1
        place = data.find(b"PK\x01\x02", place + 1)
    (tmp_path / "locked.zip").write_bytes(data)
    with pytest.raises(DataError, match="expected no password"):
        load_images(tmp_path / "locked.zip")


def test_an_archive_that_expands_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is unpacked to no more bytes than are read, and all to no more than fit."""
    import shutil
    from collections import namedtuple

    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        for number in range(3):
            zipped.writestr(f"cat/{number}.png", bytes(10_000_000))
            zipped.writestr(f"dog/{number}.png", bytes(10_000_000))
    with pytest.raises(DataError, match="none of 6 can be read"):
        load_images(tmp_path / "bomb.zip")
    sizes = [path.stat().st_size for path in (tmp_path / "cache").rglob("*.png")]
    assert sizes == [1001] * 6
    usage = namedtuple("usage", "total used free")(9, 9, 1500)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (tmp_path / "bomb.zip").rename(tmp_path / "other.zip")
    with pytest.raises(DataError, match="the disk is full"):
        load_images(tmp_path / "other.zip")


@pytest.mark.parametrize("ending", [".tar", ".zip"])
def test_what_is_left_out_is_told(tmp_path: Path, ending: str) -> None:
    """Links, and files with other endings, whenever the archive is read."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    archive = pack(folder, tmp_path / f"a{ending}")
    if ending == ".zip":
        with zipfile.ZipFile(archive, "a") as zipped:
            link = zipfile.ZipInfo("cat/link.png")
            link.external_attr = 0o120777 << 16
            zipped.writestr(link, "0.png")
            zipped.writestr("cat/a.tif", b"II")
    else:
        with tarfile.open(archive, "a") as bundle:
            link_to = tarfile.TarInfo("cat/link.png")
            link_to.type, link_to.linkname = tarfile.LNKTYPE, "cat/0.png"
            bundle.addfile(link_to)
            bundle.addfile(tarfile.TarInfo("cat/a.tif"))
    for _ in range(2):
        assert load_images(archive).notes[:2] == (
            "left out 1 links, which are not followed in an archive",
            "left out 1 files with other endings than images have: .tif",
        )


def test_an_archive_without_an_image_says_what_it_has(tmp_path: Path) -> None:
    """As a folder says it."""
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as zipped:
        for number in range(16):
            zipped.writestr(f"{number % 2}/{number}.tif", b"II")
    with pytest.raises(DataError, match=r"got 16 \.tif"):
        load_images(tmp_path / "scans.zip")


def test_a_zip_of_a_mac_keeps_its_accents(tmp_path: Path) -> None:
    """Names in UTF-8 that do not say so."""
    folder = write_classes(tmp_path / "obst", {"Aepfel": 6, "Birnen": 6})
    plain = pack(folder, tmp_path / "a.zip").read_bytes()
    mac = tmp_path / "mac.zip"
    mac.write_bytes(plain.replace(b"Aepfel", "Äpfel".encode()))
    assert load_images(mac).class_names == ("Birnen", "Äpfel")
