"""A picture becomes the numbers a vision model reads, by the model's own recorded settings, on Pillow and numpy alone.

Knows the files in which transformers writes those settings down for CLIP, SigLIP and ViT; no model, no task.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.errors import DataError, MissingPackage, ModelError
from weitiao.messages import _

FILE = "preprocessor_config.json"
NESTED_FILE, NESTED = "processor_config.json", "image_processor"  # where newer models keep the same, beside what is for texts


@dataclass(frozen=True)
class Pixels:
    """How a picture is read: resized, cropped, scaled to 0..1, normalised.

    Attributes:
        size: (height, width) in pixels, or (shortest edge,) which keeps the proportions.
        crop: (height, width) cut from the middle, None for none.
        resample: Pillow's number of the filter (3 is bicubic).
        mean, std: of each channel; None where nothing is normalised.
        scale: what a byte is multiplied with.
    """

    size: tuple[int, ...] = (224,)
    crop: tuple[int, int] | None = (224, 224)
    resample: int = 3
    mean: tuple[float, ...] | None = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, ...] | None = (0.26862954, 0.26130258, 0.27577711)
    scale: float = 1 / 255

    @classmethod
    def of(cls, folder: Path) -> "Pixels | None":
        """The settings recorded in a model folder, None where it has none. Raises ModelError naming file and key."""
        file = _file_of(folder)
        if file is None:
            return None
        held = _Held(file, _read(file) if file.name == FILE else _read(file)[NESTED])
        crop = held.value("crop_size", _sides) if held.flag("do_center_crop", False) else ()
        normalised = held.flag("do_normalize", True)
        return cls(
            size=held.value("size", _sides) if held.flag("do_resize", True) else (),
            crop=(crop[0], crop[-1]) if crop else None,
            resample=held.value("resample", int, 3),
            mean=held.value("image_mean", _channels) if normalised else None,
            std=held.value("image_std", _channels) if normalised else None,
            scale=held.value("rescale_factor", float, 1 / 255) if held.flag("do_rescale", True) else 1.0,
        )

    def read(self, path: str) -> np.ndarray:
        """(3, height, width) float32. Raises DataError for a file that is no picture, MissingPackage where Pillow is not installed."""
        with opened(path) as picture:
            image = picture.convert("RGB")
        if self.size:
            image = image.resize(self._target(*image.size), resample=self.resample)
        if self.crop:
            image = _middle(image, *self.crop)
        pixels: np.ndarray = np.asarray(image, dtype=np.float32) * np.float32(self.scale)  # (height, width, 3)
        if self.mean is not None and self.std is not None:
            pixels = (pixels - np.array(self.mean, dtype=np.float32)) / np.array(self.std, dtype=np.float32)
        return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)

    def _target(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after resizing."""
        if len(self.size) == 2:
            return self.size[1], self.size[0]
        edge = self.size[0]
        if width <= height:
            return edge, int(edge * height / width)
        return int(edge * width / height), edge


@dataclass(frozen=True)
class Picture:
    """A picture that is read when numpy asks for its array: those of a whole data set would fill the memory.

    Attributes:
        path: the file.
        pixels: how it is read.
        patch: pixels on the side of one of the squares that the model sees it as; 0 where nobody knows.
    """

    path: str
    pixels: Pixels
    patch: int = 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """(3, height, width) float32, see ``Pixels.read``."""
        read = self.pixels.read(self.path)
        return read if dtype is None else read.astype(dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, height, width)"""
        return self.__array__().shape

    @property
    def patches(self) -> int:
        """How many positions it takes in the model, the one that stands for all of it included."""
        sides = self.pixels.crop or self.pixels.size
        return (sides[0] // self.patch) * (sides[-1] // self.patch) + 1 if sides and self.patch else 0


@contextmanager
def opened(path: str | Path) -> Iterator[Any]:
    """A picture's file, opened by Pillow. Raises DataError where it, or what the block asks of it, cannot be read."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MissingPackage(_('Pictures need Pillow. Install it: pip install "weitiao[images]"')) from error
    try:
        with Image.open(path) as picture:
            yield picture
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(_("the image {path} cannot be read: {reason}").format(path=path, reason=str(error).rstrip(".") + ".")) from error


def settings_files(folder: Path) -> dict[str, bytes]:
    """The files of a model folder that may say how it reads pictures, by name, as they are: who only reads texts never looks into them."""
    return {name: (folder / name).read_bytes() for name in (FILE, NESTED_FILE) if (folder / name).is_file()}


@dataclass(frozen=True)
class _Held:
    """What one file says. A key that is null is as good as absent, as transformers has it."""

    file: Path
    values: Mapping[str, Any]

    def flag(self, key: str, default: bool) -> bool:
        """A switch."""
        value = self.values.get(key)
        return default if value is None else bool(value)

    def value(self, key: str, convert: Callable[[Any], Any], default: Any = None) -> Any:
        """Anything else. Raises ModelError for what cannot be converted."""
        value = self.values.get(key)
        value = default if value is None else value
        try:
            return convert(value)
        except (TypeError, ValueError, KeyError) as error:
            message = _('{folder}: {file} says "{key}": {value} of how pictures are read, and that cannot be. Choose another --model.')
            shown = json.dumps(value, default=str)
            raise ModelError(message.format(folder=self.file.parent.name, file=self.file.name, key=key, value=shown)) from error


def _file_of(folder: Path) -> Path | None:
    """The file that counts: where the newer one says something of pictures, it goes first, as in transformers."""
    nested = folder / NESTED_FILE
    if nested.is_file() and isinstance(_read(nested).get(NESTED), dict):
        return nested
    return folder / FILE if (folder / FILE).is_file() else None


def _read(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(values, dict):
            return values
        raise ValueError(_("not an object"))
    except (OSError, ValueError) as error:
        message = _("{where}: {file} cannot be read as JSON ({error}). Copy or fetch it again.")
        raise ModelError(message.format(where=file.parent.name, file=file.name, error=error)) from error


def _sides(size: Any) -> tuple[int, ...]:
    """transformers' ways to write a size: 224, {"shortest_edge": 224}, {"height": 224, "width": 224}."""
    if isinstance(size, dict):
        return (int(size["shortest_edge"]),) if size.get("shortest_edge") else (int(size["height"]), int(size["width"]))
    return (int(size),)


def _channels(numbers: Any) -> tuple[float, ...]:
    """One number for each of the three channels, or one for all."""
    channels = tuple(map(float, numbers if isinstance(numbers, list) else [numbers]))
    if len(channels) not in (1, 3):
        raise ValueError(numbers)
    return channels if len(channels) == 3 else channels * 3


def _middle(image: Any, height: int, width: int) -> Any:
    """The middle of a picture; where it is smaller, black around it, as transformers does."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
