"""Blocks of running text: hidden as they should be, laid out without mixing documents, and the same however they are laid out."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from tests.conftest import VOCABULARY, make_model
from tests.engine import flash_stand_in
from weitiao.data.corpus_cleaning import Document
from weitiao.data.ledger import ShortLedger
from weitiao.engine import replaced_tokens, varlen
from weitiao.engine.devices import Machine
from weitiao.engine.models import LoadedModel, load_model
from weitiao.engine.objectives.base import Collated
from weitiao.engine.objectives.blocks import MaskedBlocks, ReplacedTokens
from weitiao.engine.packing import COUNTED, STACKS
from weitiao.engine.pretraining.blocks import Blocks
from weitiao.engine.pretraining.encoding import Layout, write_tokens
from weitiao.engine.pretraining.token_files import TokenFile, TokenWriter
from weitiao.engine.replaced_tokens import GeneratedPair
from weitiao.engine.varlen import Varlen
from weitiao.observer import SILENT
from weitiao.processing import IGNORED

CLS, SEP, MASK = (VOCABULARY.index(token) for token in ("[CLS]", "[SEP]", "[MASK]"))
SPECIAL = [VOCABULARY.index(token) for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]


def documents(count: int, seed: int = 0, longest: int = 70) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.integers(5, len(VOCABULARY), size=size) for size in draw.integers(3, longest, size=count)]


def written(folder: Path, texts: list[np.ndarray], size: int = 32, *, through: bool = False, vocabulary: int = len(VOCABULARY)) -> Path:
    writer = TokenWriter(folder, vocabulary, size, ([CLS], [SEP]), through=through)
    for ids in texts:
        writer.add(ids, np.arange(len(ids)) % 3 != 0)  # words of three tokens
    writer.close()
    return folder


@pytest.mark.parametrize("vocabulary", [len(VOCABULARY), 1 << 15, (1 << 15) + 1])
def test_every_document_comes_back_whole_and_no_piece_holds_two(vocabulary: int, tmp_path: Path) -> None:
    texts = documents(40)
    file = TokenFile(written(tmp_path, texts, vocabulary=vocabulary))
    pieces = []
    for number in range(len(file)):
        ids, places, goes_on = file.block(number)
        assert len(ids) <= 32
        firsts = np.flatnonzero(places == 0)
        assert (ids[firsts] == CLS).all()
        assert (ids == SEP).sum() == len(firsts)
        for piece, on in zip(np.split(ids, firsts[1:]), np.split(goes_on, firsts[1:]), strict=True):
            assert piece[-1] == SEP
            pieces.append((piece[1:-1].tolist(), on[1:-1].tolist()))
    at = 0
    for ids in texts:
        found: list[int] = []
        flags: list[bool] = []
        while len(found) < len(ids):
            found, flags, at = found + pieces[at][0], flags + pieces[at][1], at + 1
        assert found == ids.tolist()
        assert flags == [place % 3 != 0 for place in range(len(ids))]
    assert at == len(pieces)
    full = [len(file.block(number)[0]) for number in range(len(file))]
    assert np.mean(full) > 0.8 * 32


def test_a_stream_has_full_blocks(tmp_path: Path) -> None:
    file = TokenFile(written(tmp_path, documents(40), through=True))
    assert {len(file.block(number)[0]) for number in range(len(file))} == {32}


def test_what_is_left_out_stands_in_the_ledger(tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(make_model(tmp_path / "model"))
    texts = [Document("the room was lovely", "a.txt", row) for row in range(1, 21)] + [Document("   ", "a.txt", 21)]
    for through in (False, True):
        ledger = ShortLedger()
        found = write_tokens(tmp_path / str(through), texts, tokenizer, Layout(16, through, False, 0.0, 1), ledger, SILENT)
        assert found["documents"] == 20
        about = TokenFile(tmp_path / str(through) / "train").about
        over = 20 * 5 - about["tokens"] if through else 0  # [SEP] ends each
        assert ledger.counts() == {"dropped:no_tokens": 1, **({"truncated:fills_no_block": 1} if through else {})}
        assert not over or f"last {over} tokens" in ledger.entries[-1].detail


def test_every_document_that_a_stream_leaves_out_stands_in_the_ledger(tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(make_model(tmp_path / "model"))
    texts = [Document("the room was lovely", "a.txt", row) for row in range(1, 20)]  # 5 tokens each, [SEP] among them
    for size, wanted in {
        32: [(13, "truncated", 1), *((row, "dropped", 5) for row in range(14, 20))],
        19: [],
        30: [(19, "dropped", 5)],
        94: [(19, "truncated", 1)],
    }.items():
        ledger = ShortLedger()
        write_tokens(tmp_path / str(size), texts, tokenizer, Layout(size, True, False, 0.0, 1), ledger, SILENT)
        found = [(entry.row, entry.action, int(entry.detail.split()[2])) for entry in ledger.entries]
        assert found == wanted
        about = TokenFile(tmp_path / str(size) / "train").about
        assert about["tokens"] + sum(lost for _row, _action, lost in found) == 95


def test_what_is_hidden(tmp_path: Path) -> None:
    blocks = Blocks(written(tmp_path, documents(1500)), SPECIAL)
    objective = MaskedBlocks(MASK, len(VOCABULARY))
    rows = blocks[:]
    drawn = objective.drawn(rows, np.random.default_rng(1))
    before = np.concatenate([row[0].inputs["input_ids"] for row in rows])
    after = np.concatenate([row[0].inputs["input_ids"] for row in drawn])
    target = np.concatenate([row[0].target for row in drawn])
    words = np.concatenate([row[0].words for row in rows])
    hidden = target != IGNORED
    assert (target[hidden] == before[hidden]).all()
    assert (after[~hidden] == before[~hidden]).all()
    learnable = ~np.isin(before, SPECIAL)
    assert not hidden[~learnable].any()
    assert hidden[learnable].mean() == pytest.approx(0.15, abs=0.01)
    masked, kept = (after == MASK)[hidden].mean(), (after == before)[hidden].mean()
    assert masked == pytest.approx(0.8, abs=0.02)
    assert kept == pytest.approx(0.1 + 0.1 / len(VOCABULARY), abs=0.02)
    # A word's pieces share its fate: all of them are hidden or none, and all masked or none.
    number = np.repeat(np.arange(len(rows)), [len(row[0]) for row in rows]) * 1000 + words
    for flags in (hidden, after == MASK):
        of_word = {word: set(flags[number == word].tolist()) for word in np.unique(number[learnable])[:300]}
        assert all(len(found) == 1 for found in of_word.values())
    again = objective.drawn(rows, np.random.default_rng(1))
    assert all((one[0].inputs["input_ids"] == two[0].inputs["input_ids"]).all() for one, two in zip(drawn, again, strict=True))


def loss_and_slopes(loaded: LoadedModel, objective: MaskedBlocks, rows: list, *, flat: bool) -> tuple[float, dict[str, torch.Tensor]]:
    loaded.network.eval()
    loaded.network.zero_grad()
    objective.flat = flat
    batch = objective.collate(rows, loaded.padding)
    assert batch.flat == flat
    torch.manual_seed(3)
    loss = objective.loss(loaded.forward(batch), batch)
    loss.backward()
    return float(loss.detach()), {name: p.grad.clone() for name, p in loaded.network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "as on a gpu"])
@pytest.mark.parametrize("family", ["bert", "electra", "roberta", "albert", "modernbert"])
def test_one_row_of_all_pieces_is_the_same_as_padded_rows(family: str, gpu: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_model(tmp_path / "m", family, **({"global_attn_every_n_layers": 2} if family == "modernbert" else {}))
    plain, packed = (
        load_model(folder, ("AutoModelForMaskedLM",), {}, Machine("cpu", "fp32", 1), packed=False),
        load_model(folder, ("AutoModelForMaskedLM",), {}, Machine("cpu", "fp32", 1), packed=True),
    )
    if gpu:
        monkeypatch.setattr(varlen, "flash", flash_stand_in.flash)
        monkeypatch.setattr(torch, "get_autocast_dtype", lambda device: torch.float32)
        monkeypatch.setattr("weitiao.engine.packing.Plan.of", lambda lengths, flat=False: Varlen.flat(lengths, "cpu"))
    assert packed.packing is not None
    packed.network.load_state_dict(plain.network.state_dict())
    objective = MaskedBlocks(MASK, len(VOCABULARY))
    rows = objective.drawn(Blocks(written(tmp_path / "t", documents(12), 60), SPECIAL)[:], np.random.default_rng(1))
    wanted = loss_and_slopes(plain, objective, rows, flat=False)
    found = loss_and_slopes(packed, objective, rows, flat=True)
    assert found[0] == pytest.approx(wanted[0], rel=1e-5)
    assert found[1].keys() == wanted[1].keys()
    for name, slope in wanted[1].items():
        torch.testing.assert_close(found[1][name], slope, atol=2e-4, rtol=1e-3, msg=name)


def test_families_that_count_from_behind_the_padding_are_packed() -> None:
    assert set(COUNTED) <= set(STACKS)


@pytest.mark.parametrize("labels", ["right", "in another order"])
def test_replaced_tokens_of_one_row_are_judged_as_those_of_padded_rows(
    labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the generator writes goes by the word that it replaces, so that both ways of laying out ask the very same; weights that are
    large make the detector sure of each token, so that labels of other tokens would cost another loss.
    """
    folder = make_model(tmp_path / "m", "electra", embedding_size=32, initializer_range=0.5)
    loaded = load_model(folder, ("AutoModelForPreTraining",), {}, Machine("cpu", "fp32", 1))
    pair = GeneratedPair.of(loaded, 0.5)
    objective = ReplacedTokens(MASK, len(VOCABULARY))
    rows = objective.drawn(Blocks(written(tmp_path / "t", documents(12), 60), SPECIAL)[:], np.random.default_rng(1))

    def forward(batch: Collated) -> SimpleNamespace:
        right = batch.targets["labels"][batch.targets["labels"] != IGNORED]
        monkeypatch.setattr(replaced_tokens, "drawn_ids", lambda logits: torch.where(right % 2 == 0, right, (right + 7) % len(VOCABULARY)))
        outputs = honest(batch)
        if labels != "right" and batch.flat:
            outputs.replaced = outputs.replaced.flip(0)
        return outputs

    honest = pair.forward
    monkeypatch.setattr(pair, "forward", forward)
    plain = loss_and_slopes(pair, objective, rows, flat=False)
    flat = loss_and_slopes(pair, objective, rows, flat=True)
    if labels != "right":
        assert flat[0] != pytest.approx(plain[0], rel=1e-3)
        return
    assert flat[0] == pytest.approx(plain[0], rel=1e-5)
    for name, slope in plain[1].items():
        torch.testing.assert_close(flat[1][name], slope, atol=1e-3, rtol=1e-3, msg=name)


def test_a_generator_replaces_and_the_discriminator_is_asked_of_every_token(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", "electra", embedding_size=32)
    loaded = load_model(folder, ("AutoModelForPreTraining",), {}, Machine("cpu", "fp32", 1))
    pair = GeneratedPair.of(loaded, 0.5)
    small, large = pair.generator.network, pair.discriminator.network
    assert small.config.hidden_size == 16
    assert small.electra.embeddings is large.electra.embeddings
    assert small.generator_lm_head.weight is large.electra.embeddings.word_embeddings.weight
    blocks = Blocks(written(tmp_path / "t", documents(12), 60), SPECIAL)
    objective = ReplacedTokens(MASK, len(VOCABULARY))
    rows = objective.drawn(blocks[:], np.random.default_rng(1))
    pair.project_late(MaskedBlocks(MASK, len(VOCABULARY)), blocks[:1])
    assert pair.late is not None
    batch = objective.collate(rows, pair.padding)
    outputs = pair.forward(batch)
    tokens = sum(len(row[0]) for row in rows)
    hidden = sum(int((row[0].target != IGNORED).sum()) for row in rows)
    assert len(outputs.detected) == len(outputs.replaced) == tokens
    assert len(outputs.right) == hidden == objective.terms(rows)
    assert 0 < float(outputs.replaced.sum()) <= hidden
    sums = {name: float(value) for name, value in objective.judged(outputs, batch).items()}
    figures = objective.metrics(sums)
    assert figures["loss"] == pytest.approx(figures["generator_loss"] + 50 * figures["detection_loss"])
    assert sums["tokens"] == tokens
