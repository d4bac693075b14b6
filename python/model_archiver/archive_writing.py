"""Writes archives whose bytes depend on nothing but names and contents: entries in order, one time, one mode."""

import gzip
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager

from .creation_time import creation_time, zip_time

_REGULAR_0644 = 0o100644
_UNIX = 3


def write_zip(path: str, files: dict, manifest: tuple, compression: int) -> None:
    """Writes a zip of `files` (name to path), in the order of their names, and last the manifest (name, text)."""
    with _replaced(path) as target, zipfile.ZipFile(target, "w", compression) as archive:
        for name in _without(files, manifest[0]):
            add_to_zip(archive, files[name], name)
        archive.writestr(_zip_entry(manifest[0], compression), manifest[1].encode("utf-8"))


def add_to_zip(archive: zipfile.ZipFile, file: str, name: str) -> None:
    """Adds one file under `name`, as its bytes alone decide."""
    entry = _zip_entry(name, archive.compression)
    # The writer decides by it whether the entry needs long fields.
    entry.file_size = os.path.getsize(file)
    with open(file, "rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def write_tgz(path: str, files: dict, manifest: tuple, prefix: str) -> None:
    """Writes a tar.gz of the same, every entry below `prefix`."""
    with _replaced(path) as target, _gzip(target) as packed, _tar(packed) as archive:
        for name in _without(files, manifest[0]):
            add_to_tar(archive, files[name], f"{prefix}/{name}")
        content = manifest[1].encode("utf-8")
        entry = _tar_entry(f"{prefix}/{manifest[0]}", len(content))
        archive.addfile(entry, io.BytesIO(content))


def add_to_tar(archive: tarfile.TarFile, file: str, name: str) -> None:
    """Adds one file under `name`, as its bytes alone decide."""
    with open(file, "rb") as source:
        archive.addfile(_tar_entry(name, os.fstat(source.fileno()).st_size), source)


def write_folder(path: str, files: dict, manifest: tuple) -> None:
    """Makes the folder `path` of the same. An archive folder that is there is replaced; any other is written into."""
    parent = os.path.dirname(os.path.abspath(path))
    fresh = tempfile.mkdtemp(prefix=".archive-", dir=parent)
    try:
        for name in _without(files, manifest[0]):
            add_to_folder(fresh, files[name], name)
        target = os.path.join(fresh, *manifest[0].split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8", newline="") as file:
            file.write(manifest[1])
        os.chmod(fresh, 0o777 & ~_umask())
        if os.path.isdir(path) and not os.path.exists(os.path.join(path, *manifest[0].split("/"))):
            shutil.copytree(fresh, path, dirs_exist_ok=True)
            return
        if os.path.isdir(path):
            # Aside first, so that a failure between the two steps loses nothing.
            aside = tempfile.mkdtemp(prefix=".archive-", dir=parent)
            os.rename(path, os.path.join(aside, "old"))
            os.rename(fresh, path)
            shutil.rmtree(aside)
        else:
            os.rename(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def add_to_folder(folder: str, file: str, name: str) -> None:
    """Copies one file to `name` below the folder, with its permissions."""
    target = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(file, target)


def _without(files: dict, manifest_name: str) -> list:
    return sorted(name for name in files if name != manifest_name)


def _zip_entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, zip_time())
    entry.compress_type = compression
    entry.create_system = _UNIX
    entry.external_attr = _REGULAR_0644 << 16
    return entry


def _gzip(target) -> gzip.GzipFile:
    # A header that holds neither time nor file name.
    return gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0)


def _tar(target) -> tarfile.TarFile:
    return tarfile.TarFile(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)


def _tar_entry(name: str, size_bytes: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size_bytes
    entry.mode = 0o644
    entry.mtime = int(creation_time().timestamp())
    return entry


@contextmanager
def _replaced(path: str):
    """A file that takes the place of `path` when all of it is written, and leaves nothing behind when it isn't."""
    descriptor, part = tempfile.mkstemp(prefix=".archive-", suffix=".part", dir=os.path.dirname(os.path.abspath(path)))
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
        os.chmod(part, 0o666 & ~_umask())
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def _umask() -> int:
    # It can only be read by setting it.
    current = os.umask(0o077)
    os.umask(current)
    return current
