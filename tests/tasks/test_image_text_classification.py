"""Pictures with texts: read as transformers reads them, learned, and refused when they are broken. The data set is drawn on the spot."""

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import weitiao
from weitiao.errors import DataError, ModelError, UsageError
from weitiao.images import FILE, Pixels

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 220)}
SHAPES = ("circle", "square")


def draw_shapes(folder: Path, rows: int, seed: int = 0) -> Path:
    """A CSV of drawn shapes with captions, half of which name another colour: the label says whether the caption is true."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (colour, shape) in zip(range(rows), itertools.cycle(itertools.product(COLOURS, SHAPES)), strict=False):
        image = Image.new("RGB", (48, 40), (255, 255, 255))
        left, top, side = draw.randint(2, 10), draw.randint(2, 6), draw.randint(20, 28)
        painter = ImageDraw.Draw(image)
        box = (left, top, left + side, top + side)
        painter.ellipse(box, fill=COLOURS[colour]) if shape == "circle" else painter.rectangle(box, fill=COLOURS[colour])
        image.save(folder / f"{number}.png")
        true = draw.random() < 0.5
        said = colour if true else draw.choice([other for other in COLOURS if other != colour])
        lines.append({"image": f"{number}.png", "caption": f"a {said} {shape}", "label": "true" if true else "false"})
    path = folder / "shapes.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    return draw_shapes(tmp_path / "shapes", 48)


def train(data: Path, **settings: object) -> weitiao.Run:
    values = {"task": "image-text-classification", "model": "blank:clip", "epochs": 1, "batch_size": 16, "threads": 1, "max_length": 16}
    return weitiao.train(str(data), out=str(data.parent / "run"), **{**values, **settings})


def test_train_predict_evaluate_and_load_again(shapes: Path) -> None:
    run = train(shapes)
    assert run.metrics.keys() >= {"accuracy", "f1_macro"}
    record = {"text": "a red circle", "image": str(shapes.parent / "0.png")}
    (first,) = run.predict([record])
    assert first == run.predict(["a red circle"], image=record["image"])[0]
    again = weitiao.load(run.path)
    assert again.predict([record]) == [first]
    assert again.evaluate(str(shapes))["rows"] == 48
    done = again.predict_file(str(shapes), shapes.parent / "out.csv")
    assert (done["rows"], done["unanswered"]) == (48, 0)


def test_the_answer_depends_on_the_picture_and_on_the_text(shapes: Path) -> None:
    run = train(shapes)
    red, green = (str(shapes.parent / f"{number}.png") for number in (0, 2))
    asked = [("a red circle", red), ("a red circle", green), ("a green circle", red)]
    scores = [run.predict([text], image=image)[0]["probabilities"]["true"] for text, image in asked]
    assert len(set(scores)) == 3


def test_the_base_loads_in_plain_transformers(shapes: Path) -> None:
    from transformers import AutoModel

    run = train(shapes)
    assert AutoModel.from_pretrained(run.folder.model).config.model_type == "clip"


@pytest.mark.parametrize("problem", ["missing", "broken"])
def test_a_picture_that_cannot_be_read_is_named_with_its_row(problem: str, shapes: Path) -> None:
    (shapes.parent / "3.png").unlink() if problem == "missing" else (shapes.parent / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(DataError, match=r"row 4.*3\.png") as caught:
        train(shapes)
    assert caught.value.row == 4
    assert not (shapes.parent / "run").exists()
    run = train(shapes, max_bad_rows=1)
    assert run.record["data"]["ledger"]["dropped:bad_image"] == 1


def test_a_text_model_and_a_missing_picture_are_refused(shapes: Path, tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="bert models cannot do this task"):
        train(shapes, model=str(tiny_model))
    run = train(shapes)
    with pytest.raises(UsageError, match='lacks "image"'):
        run.predict(["a red circle"])
    with pytest.raises(UsageError, match=r"nowhere\.png"):
        run.predict(["a red circle"], image="nowhere.png")


@pytest.mark.parametrize(
    "settings",
    [
        {"size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
        {"size": {"height": 24, "width": 36}, "do_center_crop": False},
        {"size": {"shortest_edge": 20}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}},
    ],
)
def test_pixels_equal_those_of_transformers(settings: dict[str, object], tmp_path: Path) -> None:
    from transformers import CLIPImageProcessorPil

    path = tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)).save(path)
    theirs = CLIPImageProcessorPil(**settings)
    (tmp_path / FILE).write_text(json.dumps(theirs.to_dict()), encoding="utf-8")
    ours = Pixels.of(tmp_path)
    assert ours is not None
    wanted = theirs(Image.open(path), return_tensors="np")["pixel_values"][0]
    assert np.abs(ours.read(str(path)) - wanted).max() < 1e-4


def test_a_model_without_settings_for_pictures_reads_none(tmp_path: Path) -> None:
    assert Pixels.of(tmp_path) is None
