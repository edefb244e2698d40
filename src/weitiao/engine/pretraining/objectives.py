"""What can be learned from running text, by name: which class of model, how documents are laid out, how a loaded model is made ready."""

from pathlib import Path
from typing import Any

from weitiao.config import TrainingSettings
from weitiao.engine.architectures import SENTINELS
from weitiao.engine.objectives import Objective
from weitiao.engine.objectives.blocks import CausalBlocks, MaskedBlocks, ReplacedTokens
from weitiao.engine.objectives.denoising import Denoising
from weitiao.engine.pretrained import read_config
from weitiao.engine.pretraining.blocks import Blocks
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.pretraining_settings import PretrainingSettings
from weitiao.tasks.base import Headline


class Kind:
    """One thing that can be learned.

    Attributes:
        name: as --objective has it.
        task: what the model is used for afterwards.
        example: a blank model that learns so, as --config has it.
        classes: transformers' Auto classes that build it, the first that knows the architecture.
        through: whether documents are one stream, cut wherever a block ends.
        words: whether whole words are hidden, so that it is noted where words go on.
        headline: the figure by which the best checkpoint is chosen; None takes the last one.
        honours: of the settings that not every objective listens to, those that it does.
    """

    name: str
    task: str
    example: str
    classes: tuple[str, ...]
    through: bool = False
    words: bool = False
    headline: Headline | None = Headline("loss", "min")
    honours: tuple[str, ...] = ()

    def check(self, family: str, tokenizer: Any) -> None:
        """Insist that a model can learn so, before anything is made ready for it.

        Args:
            family: its config's ``model_type``.
            tokenizer: of transformers.

        Raises:
            ModelError: it lacks what the objective needs.
        """

    def blocks(self, folder: Path, loaded: Any) -> Blocks:
        """The training rows of a token file. Raises ModelError where the model cannot learn from them."""
        raise NotImplementedError

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The model that is trained, and what it learns by. Raises ModelError where it cannot."""
        raise NotImplementedError

    def saved(self, loaded: Any) -> Any:
        """What of it is saved."""
        return loaded


class Masked(Kind):
    """Hidden words are found again (BERT)."""

    name, task, example = "mlm", "fill-mask", "bert:mini"
    classes = ("AutoModelForMaskedLM",)
    words = True
    honours: tuple[str, ...] = ("mask_share",)

    def check(self, family: str, tokenizer: Any) -> None:
        """It must have a mask."""
        if tokenizer.mask_token_id is None:
            raise ModelError(
                _("This model has no mask token, so words cannot be hidden from it. Choose --objective clm, or another model.")
            )

    def blocks(self, folder: Path, loaded: Any) -> Blocks:
        """The training rows."""
        return Blocks(folder, loaded.tokenizer.all_special_ids)

    def objective(self, kind: type[MaskedBlocks], loaded: Any, task: PretrainingSettings, settings: TrainingSettings) -> MaskedBlocks:
        """The objective, set up for a model."""
        made = kind(loaded.tokenizer.mask_token_id, len(loaded.tokenizer), task.mask_share, smoothing=settings.label_smoothing)
        made.flat = loaded.packing is not None
        made.types = "token_type_ids" in loaded.tokenizer.model_input_names
        return made

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The model that is trained, and what it learns by."""
        return loaded, self.objective(MaskedBlocks, loaded, task, settings)


class Replaced(Masked):
    """Words that a generator replaced are found (ELECTRA)."""

    name, task, example = "rtd", "feature-extraction", "electra:mini"
    classes = ("AutoModelForPreTraining",)
    headline = None  # the better the generator, the harder the question: the last weights are the best
    honours = ("mask_share", "generator_width")

    def check(self, family: str, tokenizer: Any) -> None:
        """It must be an ELECTRA."""
        from weitiao.engine.replaced_tokens import check_family

        check_family(family)
        super().check(family, tokenizer)

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The discriminator with a generator."""
        from weitiao.engine.replaced_tokens import GeneratedPair

        pair = GeneratedPair.of(loaded, task.generator_width)
        pair.project_late(self.objective(MaskedBlocks, pair, task, settings), blocks[:1])
        return pair, self.objective(ReplacedTokens, pair, task, settings)

    def saved(self, loaded: Any) -> Any:
        """The discriminator."""
        return loaded.discriminator


class Causal(Kind):
    """The next token (GPT). Documents stand one behind the other with the mark of an end between, and a block may begin in one and end in
    another, as is usual: a decoder learns to start anew behind the mark, and no token is wasted.
    """

    name, task, example = "clm", "text-generation", "llama:mini"
    classes = ("AutoModelForCausalLM",)
    through = True

    def blocks(self, folder: Path, loaded: Any) -> Blocks:
        """The training rows."""
        return Blocks(folder, words=False)

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The model as it is."""
        return loaded, CausalBlocks(settings.label_smoothing)


class Denoised(Kind):
    """Spans that were taken out are written (T5)."""

    name, task, example = "denoising", "summarization", "t5:mini"
    classes = ("AutoModelForSeq2SeqLM",)
    honours = ("mask_share",)

    def check(self, family: str, tokenizer: Any) -> None:
        """Its vocabulary must have sentinels."""
        if not _sentinels(tokenizer):
            raise ModelError(_("This model has no <extra_id_0> in its vocabulary, as T5 has. Choose another, such as --config t5:mini."))

    def blocks(self, folder: Path, loaded: Any) -> Blocks:
        """The training rows."""
        return Blocks(folder)

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The model as it is."""
        return loaded, Denoising(_sentinels(loaded.tokenizer), loaded.tokenizer.eos_token_id, task.mask_share, settings.label_smoothing)


def _sentinels(tokenizer: Any) -> list[int]:
    """The ids of T5's sentinels that a tokenizer has."""
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[token] for token in SENTINELS if token in vocabulary]


KINDS: dict[str, Kind] = {one.name: one for one in (Masked(), Replaced(), Causal(), Denoised())}


def kind_for(name: str, base: Path, *, trust_remote_code: bool = False) -> Kind:
    """The kind that a setting names; for "auto" what the architecture was made for. Raises ModelError where transformers knows none."""
    if name != "auto":
        return KINDS[name]
    from transformers import AutoConfig, AutoModelForMaskedLM

    from weitiao.engine.models import model_errors, quiet

    family = str(read_config(base).get("model_type"))
    if family == "electra":
        return KINDS["rtd"]
    with quiet(), model_errors(base):
        config = AutoConfig.from_pretrained(str(base), trust_remote_code=trust_remote_code, local_files_only=True)
    if config.is_encoder_decoder:
        return KINDS["denoising"]
    return KINDS["mlm" if type(config) in AutoModelForMaskedLM._model_mapping else "clm"]
