"""Drawings one after the other, saved as a GIF or an animated PNG by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from derive.arguments import refuse
from derive.files import write_whole

from .drawing import Drawing

PIXELS = 800  # across, so that it need not be made smaller on a page
MILLISECONDS = 1200  # of a frame
COLOURS = 64  # of all frames, those of smoothed letters among them
SUFFIXES = {".gif": "GIF", ".png": "PNG", ".apng": "PNG"}


class Animation:
    """Drawings of one size, shown one after the other without end.

    ``frames`` are figures of their own: each can be looked at and saved alone.
    """

    def __init__(self, frames: Sequence[Drawing]) -> None:
        self.frames = tuple(frames)

    def save(self, path: str | Path) -> None:
        """Write a .gif, or a .png or .apng that moves: equal animations give equal bytes."""
        write_whole(Path(path), self._encoded(_kind(Path(path).suffix)))

    def savefig(self, file: BytesIO, *, format: str) -> None:
        """Write to an open file, as a figure does."""
        file.write(self._encoded(_kind(f".{format}")))

    def _encoded(self, kind: str) -> bytes:
        first, *rest = self._images()
        file = BytesIO()
        first.save(
            file,
            format=kind,
            save_all=True,
            append_images=rest,
            duration=MILLISECONDS,
            loop=0,
            optimize=True,
        )
        return file.getvalue()

    def _images(self) -> list[Any]:
        """Pixels of each frame, all of them in the same colours, so that little changes."""
        try:
            from PIL import Image
        except ModuleNotFoundError:
            raise ImportError("animations need Pillow: pip install exactconv[plots]") from None
        images = []
        for frame in self.frames:
            file = BytesIO()
            frame.savefig(file, format="png", dpi=PIXELS / frame.get_figwidth())
            file.seek(0)
            images.append(Image.open(file).convert("RGB"))
        width, height = images[0].size
        every = Image.new("RGB", (width, height * len(images)))
        for number, image in enumerate(images):
            every.paste(image, (0, number * height))
        palette = every.quantize(COLOURS)
        return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]

    def _repr_png_(self) -> bytes:
        return self._encoded("PNG")


def _kind(suffix: str) -> str:
    kind = SUFFIXES.get(suffix.lower())
    if kind is None:
        refuse("format", suffix, f"one of {', '.join(SUFFIXES)}")
    return kind
