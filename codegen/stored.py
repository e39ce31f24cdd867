"""What the cache of compiled kernels holds: libraries of C, and cubins."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._runtime.compiler import ABI, RUNTIME
from ._runtime.cuda.nvrtc import ARCHITECTURE, CUBIN, CUDA_RUNTIME
from ._runtime.entry import PRIVATE, Manifest, read, sound
from ._runtime.folder import cache_folder

KEY = re.compile(r"[0-9a-f]{32}")
OURS = re.compile(rf"[0-9a-f]{{32}}(\.so)?|[0-9a-f]{{2}}\.lock|{re.escape(PRIVATE)}\w+")


@dataclass(frozen=True, slots=True)
class Stored:
    """One entry: its key, its manifest if it can be read, its size, and whether it is unharmed."""

    key: str
    manifest: Manifest | None
    size: int
    sound: bool

    def words(self) -> str:
        """One line."""
        state = "" if self.sound else "  damaged, or of another version or machine"
        if self.manifest is None:
            return f"{self.key}  {self.size:>9,}{state}"
        files = " ".join(name for name in self.manifest.files if name.endswith((".c", ".cu")))
        where = f" {self.manifest.abi}" if _is_cubin(self.manifest) else ""
        return f"{self.key}  {self.size:>9,}  {self.manifest.scalar:<8} {files}{where}{state}"

    def facts(self) -> dict[str, Any]:
        """The same for a program."""
        manifest = self.manifest
        return {
            "key": self.key,
            "bytes": self.size,
            "sound": self.sound,
            "files": manifest.files if manifest else [],
            "scalar": manifest.scalar if manifest else None,
            "compiler": manifest.compiler if manifest else None,
        }


def stored() -> list[Stored]:
    """All entries, by key."""
    paths = [path for path in cache_folder().iterdir() if KEY.fullmatch(path.name)]
    return [
        Stored(path.name, manifest := read(path), _size(path), _sound(path, manifest))
        for path in sorted(paths)
    ]


def clear() -> int:
    """Remove what the cache made; the number of libraries. Loaded ones stay loaded."""
    folder = cache_folder()
    entries = len(stored())
    for path in folder.iterdir():
        if OURS.fullmatch(path.name):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    return entries


def _is_cubin(manifest: Manifest | None) -> bool:
    return manifest is not None and ARCHITECTURE.fullmatch(manifest.abi) is not None


def _sound(path: Path, manifest: Manifest | None) -> bool:
    """Whether an entry is unharmed, and for this machine; a cubin is for its GPUs."""
    if manifest is not None and _is_cubin(manifest):
        return sound(path, CUDA_RUNTIME, manifest.abi, CUBIN) is not None
    return sound(path, RUNTIME, ABI) is not None


def _size(path: Path) -> int:
    return sum(each.lstat().st_size for each in path.rglob("*") if each.is_file())
