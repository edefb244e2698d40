"""A picture that is cut short, which its header does not say, is named with its row: before the training, and when it is predicted."""

from pathlib import Path

import pytest
from PIL import Image

from tests.tasks.test_image_text_classification import draw_shapes, train
from weitiao.errors import DataError


def cut_short(folder: Path) -> Path:
    """The fourth picture of a drawn data set loses its end."""
    Image.effect_noise((48, 40), 80).convert("RGB").save(folder / "noise.jpg")
    (folder / "3.png").write_bytes((folder / "noise.jpg").read_bytes()[:-400])
    return folder


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_held_out_picture_is_read_before_the_training(split: str, tmp_path: Path) -> None:
    data, held = draw_shapes(tmp_path / "train", 24), draw_shapes(tmp_path / "held", 12, seed=1)
    cut_short(held.parent)
    with pytest.raises(DataError, match=r"held/shapes\.jsonl, row 4: .*3\.png cannot be read") as caught:
        train(data, **{"valid": 0, "test": 0, split: str(held)})
    assert caught.value.row == 4
    assert not (data.parent / "run").exists()


def test_broken_pictures_are_bad_rows(tmp_path: Path) -> None:
    data = draw_shapes(tmp_path / "train", 24)
    cut_short(data.parent)
    (data.parent / "5.png").write_bytes((data.parent / "5.png").read_bytes()[:-40])
    with pytest.raises(DataError, match=r"shapes\.jsonl, row 4: .*3\.png cannot be read.*2 rows cannot be read \(4, 6\).*--max-bad-rows 2"):
        train(data)
    run = train(data, max_bad_rows=2, valid=0, test=0)
    assert run.record["data"]["splits"]["train"]["rows"] == 22
    assert run.record["data"]["ledger"]["dropped:bad_image"] == 2


def test_a_prediction_names_the_row(tmp_path: Path) -> None:
    data, asked = draw_shapes(tmp_path / "train", 24), draw_shapes(tmp_path / "asked", 12, seed=1)
    run = train(data, valid=0, test=0)
    cut_short(asked.parent)
    for use in (run.evaluate, lambda file: list(run.predict_rows(file))):
        with pytest.raises(DataError, match=r"asked/shapes\.jsonl, row 4: .*3\.png cannot be read") as caught:
            use(str(asked))
        assert (caught.value.file, caught.value.row) == (str(asked), 4)
