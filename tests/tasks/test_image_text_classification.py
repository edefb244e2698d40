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
from weitiao.images import FILE, NESTED, NESTED_FILE, Picture, Pixels

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


def test_a_picture_that_is_cut_short_is_named_before_the_training(shapes: Path) -> None:
    """Its header is whole, so reading the table finds nothing wrong with it."""
    picture = shapes.parent / "3.png"
    Image.effect_noise((48, 40), 80).convert("RGB").save(shapes.parent / "noise.jpg")
    picture.write_bytes((shapes.parent / "noise.jpg").read_bytes()[:-400])
    with pytest.raises(DataError, match=r"row 4.*3\.png cannot be read") as caught:
        train(shapes)
    assert caught.value.row == 4
    assert not (shapes.parent / "run").exists()


def test_pictures_wait_on_the_disk_and_their_patches_cost(shapes: Path) -> None:
    predictor = train(shapes).predictor()
    (features,) = predictor.encode({"text": "a red circle", "image": str(shapes.parent / "0.png")})
    waiting = features.arrays["pixel_values"]
    assert isinstance(waiting, Picture)
    height, width = waiting.pixels.crop or waiting.pixels.size
    patch = predictor.backend.loaded.network.config.vision_config.patch_size
    assert np.asarray(waiting).shape == waiting.shape == (3, height, width)
    assert features.positions == len(features) + (height // patch) * (width // patch) + 1
    assert predictor.backend.objective.cost([features, features]) == 2 * features.positions


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
    (tmp_path / NESTED_FILE).write_text(json.dumps({"processor_class": "SomeProcessor"}))
    assert Pixels.of(tmp_path) is None


def test_newer_models_keep_the_settings_in_another_file(tmp_path: Path) -> None:
    from transformers import CLIPImageProcessorPil

    theirs = CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 18, "width": 16})
    (tmp_path / NESTED_FILE).write_text(json.dumps({NESTED: theirs.to_dict(), "processor_class": "CLIPProcessor"}), encoding="utf-8")
    pixels = Pixels.of(tmp_path)
    assert pixels is not None and (pixels.size, pixels.crop) == ((20,), (18, 16))
    (tmp_path / FILE).write_text(json.dumps(CLIPImageProcessorPil().to_dict()), encoding="utf-8")
    assert Pixels.of(tmp_path) == pixels  # as in transformers, the newer goes first


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": 24}, '"image_mean": null'),
        ({"size": {"longest_edge": 24}, "do_normalize": False}, '"size": {"longest_edge": 24}'),
        ({"size": 24, "do_normalize": False, "resample": "bicubic"}, '"resample": "bicubic"'),
        ({"size": 24, "image_mean": [0.5, 0.5], "image_std": 0.5}, r'"image_mean": \[0.5, 0.5\]'),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_file(settings: dict[str, object], says: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=f"{FILE} says {says}"):
        Pixels.of(tmp_path)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(ModelError, match=FILE):
        Pixels.of(tmp_path)


def test_a_text_task_never_looks_at_how_pictures_are_read(tiny_model: Path, reviews: Path, tmp_path: Path) -> None:
    (tiny_model / FILE).write_text('{"feature_extractor_type": "of sounds"}')
    (tiny_model / NESTED_FILE).write_text('{"image_processor": {"size": "large"}}')
    run = weitiao.train(str(reviews), model=str(tiny_model), out=str(tmp_path / "run"), epochs=1, threads=1)
    assert run.predict(["a lovely day"])
