"""What can be learned from running text, by name: which class of model, how documents are laid out, how a loaded model is made ready."""

from pathlib import Path
from typing import Any

from weitiao.config import TrainingSettings
from weitiao.engine.objectives import Objective
from weitiao.engine.objectives.blocks import CausalBlocks, MaskedBlocks, ReplacedTokens
from weitiao.engine.objectives.denoising import Denoising
from weitiao.engine.pretrained import read_config
from weitiao.engine.pretraining.base import SENTINELS
from weitiao.engine.pretraining.blocks import Blocks
from weitiao.errors import ModelError
from weitiao.messages import _
from weitiao.pretraining_settings import PretrainingSettings
from weitiao.tasks.base import Headline


class Masked:
    """Hidden words are found again (BERT)."""

    name, task, example = "mlm", "fill-mask", "bert:mini"
    classes: tuple[str, ...] = ("AutoModelForMaskedLM",)
    through, words = False, True
    headline: Headline | None = Headline("loss", "min")

    def blocks(self, folder: Path, loaded: Any) -> Blocks:
        """The training rows."""
        tokenizer = loaded.tokenizer
        if tokenizer.mask_token_id is None:
            raise ModelError(
                _("This model has no mask token, so words cannot be hidden from it. Choose --objective clm, or another model.")
            )
        return Blocks(folder, tokenizer.all_special_ids)

    def objective(self, kind: type[MaskedBlocks], loaded: Any, task: PretrainingSettings, settings: TrainingSettings) -> MaskedBlocks:
        """The objective, set up for a model."""
        made = kind(loaded.tokenizer.mask_token_id, len(loaded.tokenizer), task.mask_share, smoothing=settings.label_smoothing)
        made.flat = loaded.packing is not None
        made.types = "token_type_ids" in loaded.tokenizer.model_input_names
        return made

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The model that is trained, and what it learns by."""
        return loaded, self.objective(MaskedBlocks, loaded, task, settings)

    def saved(self, loaded: Any) -> Any:
        """What of it is saved."""
        return loaded


class Replaced(Masked):
    """Words that a generator replaced are found (ELECTRA)."""

    name, task, example = "rtd", "feature-extraction", "electra:mini"
    classes = ("AutoModelForPreTraining",)
    headline = None  # the better the generator, the harder the question: the last weights are the best

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The discriminator with a generator."""
        from weitiao.engine.replaced_tokens import GeneratedPair

        pair = GeneratedPair.of(loaded, task.generator_width)
        pair.project_late(self.objective(MaskedBlocks, pair, task, settings), blocks[:1])
        return pair, self.objective(ReplacedTokens, pair, task, settings)

    def saved(self, loaded: Any) -> Any:
        """The discriminator."""
        return loaded.discriminator


class Causal(Masked):
    """The next token (GPT). Documents stand one behind the other with the mark of an end between, and a block may begin in one and end in
    another, as is usual: a decoder learns to start anew behind the mark, and no token is wasted.
    """

    name, task, example = "clm", "text-generation", "llama:mini"
    classes = ("AutoModelForCausalLM",)
    through, words = True, False

    def blocks(self, folder: Path, loaded: Any) -> Blocks:
        """The training rows."""
        return Blocks(folder, words=False)

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The model as it is."""
        return loaded, CausalBlocks(settings.label_smoothing)


class Denoised(Masked):
    """Spans that were taken out are written (T5)."""

    name, task, example = "denoising", "summarization", "t5:mini"
    classes = ("AutoModelForSeq2SeqLM",)
    words = False

    def blocks(self, folder: Path, loaded: Any) -> Blocks:
        """The training rows."""
        return Blocks(folder)

    def prepared(self, loaded: Any, task: PretrainingSettings, settings: TrainingSettings, blocks: Blocks) -> tuple[Any, Objective]:
        """The model as it is. Raises ModelError where its vocabulary has no sentinels."""
        vocabulary = loaded.tokenizer.get_vocab()
        sentinels = [vocabulary[token] for token in SENTINELS if token in vocabulary]
        if not sentinels:
            raise ModelError(_("This model has no <extra_id_0> in its vocabulary, as T5 has. Choose another, such as --config t5:mini."))
        return loaded, Denoising(sentinels, loaded.tokenizer.eos_token_id, task.mask_share, settings.label_smoothing)


KINDS: dict[str, Masked] = {one.name: one for one in (Masked(), Replaced(), Causal(), Denoised())}


def kind_for(name: str, base: Path, *, trust_remote_code: bool = False) -> Masked:
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


def check_fits(kind: Masked, base: Path, *, trust_remote_code: bool = False) -> None:
    """Insist that transformers has the head that an objective needs for a model, before the corpus is read for it. Raises ModelError."""
    from weitiao.engine.models import class_for

    own = kind_for("auto", base, trust_remote_code=trust_remote_code)
    advice = _("Begin with another model: --config {example}, or --from one of that kind.").format(example=kind.example)
    if own is not kind:
        advice = _("This model was made for --objective {own}. {others}").format(own=own.name, others=advice)
    class_for(base, kind.classes, trust_remote_code=trust_remote_code, advice=advice)
