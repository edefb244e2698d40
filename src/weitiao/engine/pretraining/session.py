"""A pretraining from its corpus to its finished model. It writes into a run folder and knows neither reports nor the command line; the loop
is everybody's.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from weitiao import tasks, trust
from weitiao.config import Recipe
from weitiao.data.corpus import documents, is_held_out
from weitiao.data.corpus_cleaning import Document
from weitiao.data.language import language_of
from weitiao.data.ledger import Ledger, ShortLedger
from weitiao.data.whole_words import SINGLE, word_segmenter
from weitiao.engine import devices
from weitiao.engine.blank import copy_code
from weitiao.engine.course import Course
from weitiao.engine.hub import BaseModel
from weitiao.engine.prepared import Prepared, with_usual_rate
from weitiao.engine.pretrained import read_config
from weitiao.engine.pretraining import objectives
from weitiao.engine.pretraining.added_words import add_words, extend, words_to_add
from weitiao.engine.pretraining.base import base_for, check_code_known, check_named, code_of, kept_blank, sketched
from weitiao.engine.pretraining.beforehand import check_honoured, check_model, check_used
from weitiao.engine.pretraining.encoding import HELD_OUT, TRAIN, Layout, write_tokens
from weitiao.engine.pretraining.measuring import held_out_figures, tokens_measured
from weitiao.engine.pretraining.reading import Corpus, beginnings
from weitiao.engine.pretraining.samples import samples
from weitiao.engine.scratch import Scratch
from weitiao.engine.tracking import accelerator_for
from weitiao.engine.way_of_steps import way_of_steps
from weitiao.errors import DataError
from weitiao.messages import _
from weitiao.metrics import title
from weitiao.observer import Observer
from weitiao.quantities import number
from weitiao.runs import RunFolder, atomic, nearest_folder, write_lines, write_text
from weitiao.tasks.base import Spec

if TYPE_CHECKING:
    from weitiao.engine.training import Trainer


class PretrainingSession(Prepared):
    """One pretraining, prepared: the corpus is tokenised, the model is loaded, and nothing is written yet into the run.

    Args:
        recipe: all settings; its task's are ``PretrainingSettings``.
        observer: hears what happens.
        folder: where the run goes.
        again: whether the run that stands there goes on: its tokens and its blank model are taken as they are.
        trust_code: let Python code run that is part of that blank model, although it was never let run on this machine.
    """

    def __init__(self, recipe: Recipe, observer: Observer, folder: RunFolder, *, again: bool = False, trust_code: bool = False) -> None:
        devices.require_torch()
        devices.keep_freed_memory()
        from weitiao.engine import models

        self.recipe, self.observer, self.folder = recipe, observer, folder
        self.max_length = recipe.task.block_size
        self.machine = devices.machine_for(recipe.training)
        self.ledger = ShortLedger()
        self.resumed = again and folder.tokens.is_dir()
        self.scratch = None if self.resumed else _beside(folder)
        self.place = folder.tokens if self.scratch is None else self.scratch.path
        self.documents = Corpus(self._documents, self.ledger, self.place / "documents.jsonl")
        try:
            self._check_what_is_known()
            self.base, trusted = self._base(trust_code), bool(recipe.model.trust_remote_code)
            tokenizer = models.load_tokenizer(self.base.path, trust_remote_code=trusted)
            kind = self.kind = self._kind(self.base.path, tokenizer, self.base.id)
            recipe = self.recipe = with_usual_rate(recipe, self.base)
            settings = recipe.training
            self._warn_of_words()
            self.words = self._words(tokenizer)
            self.corpus = self._corpus(tokenizer)
            devices.seed_generators(settings.seed)  # a new head, a generator
            loaded = models.load_model(self.base.path, kind.classes, {}, self.machine, trust_remote_code=trusted)
            fresh = len(loaded.fresh_head)
            if fresh and self.base.source != "blank":
                message = _("{model} has no head for this objective: {count} of its weights begin at random.")
                observer.note(message.format(model=self.base.id, count=fresh))
            if self.words:
                add_words(loaded, self.words)
            self.blocks, self.held_out = (kind.blocks(self.place / name, loaded) for name in (TRAIN, HELD_OUT))
            if not len(self.blocks):
                raise DataError(_("The corpus gives no block to learn from. Give it more text, or a smaller --block-size."))
            self._warn_of_nothing_held_out()
            self.loaded, self.objective = kind.prepared(loaded, recipe.task, settings, self.blocks)
            self.spec = self._spec()
            self.trainer: Trainer = self._trainer()
        except BaseException:
            self.close()
            raise

    def _check_what_is_known(self) -> None:
        """Refuse what cannot be before the corpus is read. A blank model has no folder before that, but its config is known."""
        recipe = self.recipe
        if self.resumed:
            return
        check_named(recipe)
        check_used(recipe)
        if recipe.training.track:
            accelerator_for(recipe.training, self.machine, self.folder.path)  # a tracker that is not installed
        with TemporaryDirectory(dir=self.place) as place:
            tokenizer = sketched(recipe, Path(place))
            if tokenizer is not None:
                self._kind(Path(place), tokenizer, recipe.task.config)

    def _kind(self, folder: Path, tokenizer: Any, name: str) -> objectives.Kind:
        """What is learned, by a model that can and with settings that it listens to."""
        recipe = self.recipe
        trusted = bool(recipe.model.trust_remote_code)
        kind = objectives.kind_for(recipe.task.objective, folder, trust_remote_code=trusted)
        if not self.resumed:
            check_honoured(kind, recipe)
        check_model(kind, folder, tokenizer, recipe, name)
        return kind

    @cached_property
    def _head(self) -> list[str]:
        """Beginnings of documents of each file and folder that was named, so that the first of them does not speak for all."""
        found: list[str] = []
        for source in self.recipe.task.corpus:
            with suppress(DataError):  # whoever reads all of it says what is wrong
                found += beginnings(self._documents(ShortLedger(), (source,)))
        return found

    def _language(self) -> str:
        """The language of the corpus; "" where a run goes on, whose base is chosen."""
        return language_of(self._head) if not self.resumed and self._head else ""

    def _warn_of_words(self) -> None:
        """Say where whole Chinese words are wanted and nothing here can tell them."""
        wanted = self.kind.words or self.recipe.task.add_tokens.isdecimal()
        # Without texts it tells what is installed, so that the corpus is looked into only where that is in question.
        if not wanted or self.resumed or word_segmenter() != SINGLE or word_segmenter(self._head) != SINGLE:
            return
        message = _(
            "The texts are Chinese, and jieba, which tells their words, is not installed: each character is taken for a word. "
            'Type: pip install "weitiao[zh]"'
        )
        self.observer.warn(message)

    def _warn_of_nothing_held_out(self) -> None:
        """Say that nothing will be measured, unless that was wished for."""
        task = self.recipe.task
        if len(self.held_out) or not task.held_out:
            return
        message = _(
            "The held-out share of {documents} documents ({share:.3g} of them) gives no block, so nothing is measured: there are no "
            "figures and no samples, and the last weights are kept, not the best. Give a larger --held-out, such as 0.1."
        )
        self.observer.warn(message.format(documents=self.corpus["documents"], share=task.held_out))

    def _documents(self, ledger: Ledger, sources: Sequence[str] = ()) -> Iterator[Document]:
        """The corpus, or these files and folders of it, read and cleaned anew."""
        task, data = self.recipe.task, self.recipe.data
        return documents(
            sources or task.corpus,
            text_column=task.text_column or None,
            clean=not task.raw,
            ledger=ledger,
            document=task.document,
            encoding=data.encoding,
            max_bad_rows=data.max_bad_rows,
        )

    def _base(self, trust_code: bool) -> BaseModel:
        """The model to begin with; a blank one of a run that was cut off is in its folder."""
        if self.resumed and self.folder.blank.is_dir():
            if not trust_code:
                check_code_known(self.folder.blank)
            return kept_blank(self.folder.blank, self.recipe.task.config)
        texts = (one.text for one in self.documents.kept())
        return base_for(self.recipe, lambda: texts, self.place / "blank", self.observer, language=self._language)

    def _words(self, tokenizer: Any) -> list[str]:
        """The words that the tokenizer is given, as it has them from here on."""
        wanted, kept = self.recipe.task.add_tokens, self.place / "words.json"
        if not wanted:
            return []
        if kept.is_file():
            words = list(json.loads(kept.read_text(encoding="utf-8")))
        else:
            share, seed = self.recipe.task.held_out, self.recipe.training.seed
            texts = (one.text for one in self.documents.kept() if not is_held_out(one.text, share, seed))
            words = words_to_add(wanted, texts, tokenizer, self.observer)
            write_text(kept, json.dumps(words, ensure_ascii=False))
            message = _("{count} words are added to the vocabulary, such as {words}.")
            self.observer.note(message.format(count=len(words), words=_(", ").join(words[:5])))
        extend(tokenizer, words)
        return words

    def _corpus(self, tokenizer: Any) -> dict[str, Any]:
        """Tokenise the corpus, unless that was done before the run was cut off."""
        about = self.place / "corpus.json"
        if about.is_file():
            return dict(json.loads(about.read_text(encoding="utf-8")))
        task = self.recipe.task
        layout = Layout(task.block_size, self.kind.through, self.kind.words, task.held_out, self.recipe.training.seed)
        found = write_tokens(self.place, self.documents.last(), tokenizer, layout, self.ledger, self.observer, self.machine.threads)
        write_text(about, json.dumps(found, ensure_ascii=False))
        return found

    def _trainer(self) -> "Trainer":
        settings, task = self.recipe.training, self.recipe.task
        course = Course(
            len(self.blocks), settings.batch_size, settings.seed, settings.epochs, task.max_steps, 60 * task.max_minutes, task.eval_every
        )
        return self._trainer_for(
            loaded=self.loaded,
            objective=self.objective,
            examples=self.blocks,
            headline=self.kind.headline,
            evaluate=self.evaluate if len(self.held_out) else None,
            paced=course,
        )

    def evaluate(self) -> dict[str, float]:
        """Figures of the held-out blocks, by the network as it is."""
        loaded = self.loaded
        way = self.trainer.late or loaded
        figures = held_out_figures(
            way, loaded.network, self.objective, self.held_out, loaded.padding, self.machine.device, self.recipe.training.seed
        )
        for line in samples(self.kind.task, self.spec, loaded, self.corpus["shown"], self.corpus["segmenter"] or "characters"):
            self.observer.note(line)
        return figures

    def plan(self, *, measure: bool = True) -> dict[str, Any]:
        """What will be done, with an estimate of time and memory from measured steps."""
        return {
            "task": _("pretraining: {objective}").format(objective=self.kind.name),
            **self._planned(measure=measure),
            "rows": {"train": len(self.blocks), "held_out": len(self.held_out)},
            "tokens": {"train": self.blocks.file.about["tokens"], "held_out": self.held_out.file.about["tokens"]},
            "corpus": self.corpus,
        }

    def begin(self, record: dict[str, Any]) -> None:
        """Write the run's first files, and move the tokens to where a killed run finds them again."""
        self.folder.update(**record)
        if self.base.source == "blank":
            trust.remember(code_of(self.base.path))
            shutil.copytree(self.base.path, self.folder.blank)
            shutil.rmtree(self.base.path)
            self.base = replace(self.base, path=self.folder.blank)
        assert self.scratch is not None
        self.scratch.moved(self.folder.tokens)
        self.place = self.folder.tokens
        self.folder.update(
            **record,
            task=self.kind.task,
            spec=self.spec,
            data={"splits": {}, "plan": {"fields": {}}, "ledger": self.ledger.counts(), "language": self.corpus["language"]},
            pretraining={
                "objective": self.kind.name,
                "corpus": self.corpus,
                "tokens": self.blocks.file.about,
                "held_out": {**self.held_out.file.about, "measured": tokens_measured(self.held_out)},
                "added": self.words,
            },
            settings=self.recipe.flat(),
            base_model=self.base.record(),
            seed=self.recipe.training.seed,
            environment=devices.environment(self.machine),
        )
        write_lines(self.folder.ledger_file, self.ledger.lines())

    def _spec(self) -> Spec:
        """What the task that the model can do as it is must remember."""
        task = tasks.get(self.kind.task)
        spec = task.spec_from(read_config(self.base.path), tasks.settings_of(task)())
        found = {"segmenter": self.corpus["segmenter"]} if self.corpus["segmenter"] else {}  # where words are hidden whole
        return task.fit({**spec, **{name: value for name, value in found.items() if name in spec}}, self.loaded.processor)

    def fit(self) -> None:
        """Run the loop to its end, and write the model and all figures into the run."""
        from weitiao.engine.models import save_model

        self._begin_tracking()
        self._measure_before()
        progress = self._trained()
        path = way_of_steps(self.trainer)
        figures = self.evaluate() if len(self.held_out) else {}
        self._tell_if_no_better(figures)
        with atomic(self.folder.model) as temporary:
            save_model(self.kind.saved(self.loaded), temporary, max_length=self.loaded.limit or self.recipe.task.block_size)
            if self.recipe.model.trust_remote_code:
                copy_code(self.base.path, temporary)
        passes = round(progress.step / self.trainer.job.course.steps_per_pass, 4)
        self.folder.update(
            training={**self._done(progress), "path": path, "epochs": passes, "tokens": progress.tokens},
            held_out=figures,
            model_bytes=self.folder.model_bytes,
        )

    def _measure_before(self) -> None:
        """What a model that has learned something already knows of the held-out blocks, before its first step."""
        about = self.folder.record()["pretraining"]
        if self.base.source == "blank" or not len(self.held_out) or self.trainer.progress.step or "before" in about:
            return
        figures = self.evaluate()
        self.folder.update(pretraining={**about, "before": figures})
        self.folder.append_log({"step": 0, "epoch": 0, "validation": figures, "seconds": 0.0})
        self.observer.evaluated({"split": "validation", "epoch": 0, "step": 0, "validation": figures, "metrics": figures, "best": None})

    def _tell_if_no_better(self, figures: Mapping[str, float]) -> None:
        """Say it plainly: the best of the checkpoints may be worse than what the training began with, which is no checkpoint."""
        before, headline = self.folder.record()["pretraining"].get("before"), self.kind.headline
        if before and headline and not headline.better(figures[headline.metric], before[headline.metric]):
            message = _(
                "On held-out documents the model is no better than before it was trained: {metric} {after}, {before} before. Try more "
                "texts, more steps, or a lower --lr."
            )
            told = {name: number(values[headline.metric]) for name, values in (("after", figures), ("before", before))}
            self.observer.warn(message.format(metric=title(headline.metric), **told))

    def close(self) -> None:
        """Let go of what every training holds, and of tokens that no run keeps."""
        super().close()
        if self.scratch is not None:
            self.scratch.close()


def _beside(folder: RunFolder) -> Scratch:
    """A folder for tokens on the disk that the run will be on."""
    parents = folder.path.absolute().parents
    return Scratch(".weitiao-tokens-", nearest_folder(folder.path), tuple(parents[:2]))  # runs/ may not have been there when one was killed
