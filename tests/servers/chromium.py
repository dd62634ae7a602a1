"""A headless Chromium for tests: the one inside the npm package `@sparticuz/chromium`, for Linux on x86-64.

It brings the few libraries and the font that it needs beyond the C library, so nothing has to be installed.
npm and brotli come with the dependency group `browser`, in an environment of their own.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

if __name__ == "__main__":  # in that environment, as a program
    from fetching import verify
else:
    from .fetching import keep

__all__ = ["chromium_folder"]

_PACKAGE, _VERSION = "@sparticuz/chromium", "153.0.0"
_SHA512 = (
    "8e2196a92bcf31dbb8f8ff538a562a011ef21063c41c8371fa50af13f36a34ef"
    "c41d8cc5ff1d615222394fa8a8548b7b744cbb9fcf1bcb24f4be4f9d9ec810c0"
)
_FONTS = (
    '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
    '<dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>'
)
_ROOT = Path(__file__).parents[2]


def chromium_folder() -> Path:
    """The folder with `chromium`, `lib/` and `fonts.conf`; fetched (70 MB) if it is not in the cache yet."""
    return keep(f"chromium-{_VERSION}", _fetch)


def _fetch(folder: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise FileNotFoundError("fetching Chromium needs uv, which is neither in UV nor on the PATH")
    environment = ("--locked", "--isolated", "--only-group", "browser")
    subprocess.run((uv, "run", "--quiet", *environment, "python", __file__, folder), cwd=_ROOT, check=True)


def _unpack(folder: Path) -> None:
    """Lets npm fetch the package into the folder, and leaves what is needed of it there."""
    # Node starts as npm's interpreter by name, from beside this environment's Python.
    tools = Path(sys.executable).parent
    path = os.pathsep.join((str(tools), os.environ["PATH"]))
    pack = (tools / "npm", "pack", "--silent", f"{_PACKAGE}@{_VERSION}")
    subprocess.run(pack, cwd=folder, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": path})
    (package,) = folder.glob("*.tgz")
    verify(package, _SHA512)
    with tarfile.open(package) as packed:
        (folder / "chromium").write_bytes(_inflated(packed, "chromium.br"))
        (folder / "chromium").chmod(0o755)
        for name in ("al2023.tar.br", "fonts.tar.br"):
            with tarfile.open(fileobj=io.BytesIO(_inflated(packed, name))) as inner:
                inner.extractall(folder, filter="data")
    (folder / "fonts.conf").write_text(_FONTS)
    package.unlink()


def _inflated(packed: tarfile.TarFile, name: str) -> bytes:
    import brotli

    member = packed.extractfile(f"package/bin/{name}")
    assert member is not None
    return bytes(brotli.decompress(member.read()))


if __name__ == "__main__":
    _unpack(Path(sys.argv[1]))
