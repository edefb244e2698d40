"""A picture becomes the numbers a vision model reads, by the model's own recorded settings, on Pillow and numpy alone.

Knows preprocessor_config.json as transformers writes it for CLIP, SigLIP and ViT; no model, no task.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.errors import DataError, UsageError
from weitiao.messages import _

FILE = "preprocessor_config.json"


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
        """The settings recorded in a model folder, None where it has none."""
        file = folder / FILE
        if not file.is_file():
            return None
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        crop = _sides(values.get("crop_size")) if values.get("do_center_crop") else None
        normalised = values.get("do_normalize", True)
        return cls(
            size=_sides(values.get("size")) if values.get("do_resize", True) else (),
            crop=(crop[0], crop[-1]) if crop else None,
            resample=int(values.get("resample", 3)),
            mean=tuple(values["image_mean"]) if normalised else None,
            std=tuple(values["image_std"]) if normalised else None,
            scale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
        )

    def read(self, path: str) -> np.ndarray:
        """(3, height, width) float32. Raises DataError for a file that is no picture, UsageError where Pillow is missing."""
        try:
            from PIL import Image, UnidentifiedImageError
        except ImportError as error:
            raise UsageError(_('Pictures need Pillow. Install it: pip install "weitiao[train]"')) from error
        try:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                _("the image {path} cannot be read: {reason}").format(path=path, reason=str(error).rstrip(".") + ".")
            ) from error
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


def _sides(size: Any) -> tuple[int, ...]:
    """transformers' ways to write a size: 224, {"shortest_edge": 224}, {"height": 224, "width": 224}."""
    if isinstance(size, dict):
        return (size["shortest_edge"],) if "shortest_edge" in size else (size["height"], size["width"])
    return (int(size),) if size else ()


def _middle(image: Any, height: int, width: int) -> Any:
    """The middle of a picture; where it is smaller, black around it, as transformers does."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
