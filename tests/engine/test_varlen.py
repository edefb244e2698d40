"""Packed batches as a GPU sees them: flash attention's mathematics, written out, changes nothing; nor do empty tokens, nor playing back."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.conftest import make_model
from tests.engine import flash_stand_in
from tests.engine.test_packing import DECODERS, LENGTHS, MACHINE, batch, load
from weitiao.engine import varlen
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives.rows import Classification
from weitiao.engine.recorded_steps import RecordedSteps
from weitiao.engine.varlen import Room, Varlen
from weitiao.engine.way_of_steps import way_of_steps


@pytest.fixture(autouse=True)
def _flash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(varlen, "flash", flash_stand_in.flash)
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda device: torch.float32)


def as_on_a_gpu(loaded: LoadedModel, room: Room | None) -> None:
    """Let every batch be planned as on a GPU."""
    packing = loaded.packing
    assert packing is not None
    packing.widen()
    packing.plan = lambda lengths: packing.follow(Varlen.of(lengths, "cpu", lengths[0], room))  # type: ignore[method-assign]


def slopes(loaded: LoadedModel, way: object = None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(logits, gradients by name) of a step without dropout."""
    loaded.network.eval()
    loaded.network.zero_grad(set_to_none=False)
    objective = Classification()
    collated = objective.collate([[row] for row in batch(loaded)], loaded.padding)
    outputs = (way or loaded).forward(collated)  # type: ignore[attr-defined]
    objective.loss(outputs, collated).backward()
    return outputs.logits.detach().clone(), {n: p.grad.clone() for n, p in loaded.network.named_parameters() if p.grad is not None}


def same(found: tuple[torch.Tensor, dict[str, torch.Tensor]], wanted: tuple[torch.Tensor, dict[str, torch.Tensor]]) -> None:
    torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=0)
    assert found[1].keys() == wanted[1].keys()
    for name, slope in wanted[1].items():
        torch.testing.assert_close(found[1][name], slope, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("room", [None, Room(192, len(LENGTHS) + 2, LENGTHS[0])], ids=["as it is", "filled up"])
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "albert"])
def test_logits_and_gradients_equal_the_plain_model(family: str, room: Room | None, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", family)
    plain, packed = load(folder, packed=False), load(folder, packed=True)
    as_on_a_gpu(packed, room)
    same(slopes(packed), slopes(plain))


@pytest.mark.parametrize("family", DECODERS)
def test_windows_and_shared_heads_are_told_to_flash_attention(family: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", family, **DECODERS[family])
    plain, packed = load(folder, packed=False), load(folder, packed=True)
    as_on_a_gpu(packed, None)
    same(slopes(packed), slopes(plain))


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_step_played_back_is_the_step_itself(family: str, tmp_path: Path) -> None:
    """The first time a shape runs as always, the second time it is recorded, and from then on played back."""
    loaded = load(make_model(tmp_path / "m", family), packed=True)
    as_on_a_gpu(loaded, None)
    wanted = slopes(loaded)
    recorded = RecordedSteps(loaded, max(LENGTHS), flash_stand_in.again)
    for recordings in (0, 1, 1):
        same(slopes(loaded, recorded), wanted)
        assert len(recorded.recordings) == recordings


def test_steps_that_cannot_be_recorded_run_as_ever_and_it_is_said_once(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m", "bert"), packed=True)
    as_on_a_gpu(loaded, None)
    wanted, heard, asked = slopes(loaded), list[str](), list[object]()

    def refuse(run: Callable[[], None]) -> Callable[[], None]:
        asked.append(run)
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nFor debugging consider CUDA_LAUNCH_BLOCKING=1")

    recorded = RecordedSteps(loaded, max(LENGTHS), refuse, heard.append)
    for _time in range(4):
        same(slopes(loaded, recorded), wanted)
    assert (len(recorded.recordings), len(asked), len(heard)) == (0, 1, 1)
    assert "(CUDA error: operation not permitted when stream is capturing); " in heard[0]
    trainer = SimpleNamespace(job=SimpleNamespace(loaded=loaded), recorded=recorded, late=None, every_word="")
    said = way_of_steps(trainer)  # type: ignore[arg-type]
    assert "no more steps recorded as CUDA graphs: CUDA error: operation not permitted" in said
    assert "played back" not in said


def test_memory_that_runs_out_while_a_step_is_recorded_is_left_to_the_loop(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m", "bert"), packed=True)
    as_on_a_gpu(loaded, None)

    def full(run: Callable[[], None]) -> Callable[[], None]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    recorded = RecordedSteps(loaded, max(LENGTHS), full)
    slopes(loaded, recorded)
    with pytest.raises(torch.OutOfMemoryError):
        slopes(loaded, recorded)
    assert not recorded.failure


def test_gradients_of_recorded_micro_batches_add_up(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m", "bert"), packed=True)
    as_on_a_gpu(loaded, None)
    recorded = RecordedSteps(loaded, max(LENGTHS), flash_stand_in.again)
    for _time in range(2):
        slopes(loaded, recorded)
    objective, rows = Classification(), [[row] for row in batch(loaded)]
    collated = objective.collate(rows, loaded.padding)
    _logits, once = slopes(loaded, recorded)
    objective.loss(recorded.forward(collated), collated).backward()
    for name, parameter in loaded.network.named_parameters():
        if name in once:
            torch.testing.assert_close(parameter.grad, 2 * once[name], atol=1e-5, rtol=1e-4, msg=name)


def test_batches_of_like_size_share_a_recording_and_others_do_not(tmp_path: Path) -> None:
    loaded = load(make_model(tmp_path / "m", "bert"), packed=True)
    recorded = RecordedSteps(loaded, 40, flash_stand_in.again)
    assert recorded.room([40, 33, 12]) == recorded.room([39, 30, 9])
    assert recorded.room([40, 33, 12]) != recorded.room([40, 40, 40, 40])


@pytest.mark.parametrize("lengths", [[5], [40, 33, 12], [64] * 32])
def test_room_holds_every_token_and_leaves_no_place_outside_a_row(lengths: list[int]) -> None:
    room = Room.for_rows(len(lengths), sum(lengths), max(lengths))
    plan = Varlen.of(lengths, "cpu", max(lengths), room)
    assert len(plan.keep) == room.tokens == plan.ends[-1]
    assert len(plan.ends) == room.segments + 1
    assert int(plan.ends.diff().max()) <= plan.longest
    assert plan.keep.unique().numel() == sum(lengths) + (room.tokens > sum(lengths))


def test_as_many_labels_as_a_row_has_room_are_not_cut(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", "bert")
    loaded = load_model(folder, ("AutoModelForSequenceClassification",), {"num_labels": 32}, MACHINE)
    recorded = RecordedSteps(loaded, 40, flash_stand_in.again)
    assert recorded.room([9, 5]).longest not in (32, loaded.network.config.hidden_size)
