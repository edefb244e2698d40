"""The table of base models: sound, and chosen from by what a task, a language and a machine need."""

import pytest

from weitiao import tasks
from weitiao.engine import catalog
from weitiao.engine.architectures import ARCHITECTURES
from weitiao.engine.base_models import MANY
from weitiao.engine.catalog import choose
from weitiao.engine.dual import MODEL_TYPES
from weitiao.engine.fitting import classes_of, tasks_of
from weitiao.engine.heads import BLANKS, KINDS, kind_of, kind_of_config, made_for
from weitiao.engine.listing import listed
from weitiao.engine.memory import Sizes, roughly_to_train, to_train

GB = 10**9
WRITES, WRITES_ANEW, MASKED = ["AutoModelForCausalLM"], ["AutoModelForSeq2SeqLM"], ["AutoModelForMaskedLM"]


def test_the_table_is_sound() -> None:
    assert len({choice.id for choice in catalog.TABLE}) == len(catalog.TABLE)
    for choice in catalog.TABLE:
        assert (
            choice.id.count("/") == 1
            and choice.languages
            and choice.kind in KINDS
            and choice.reason[0].islower() == (choice.reason[0] in "abcdefghijklmnopqrstuvwxyz")
        )
        # fp16 or fp32, once or with a second copy of the embeddings, and a tokenizer
        assert 1.9 * choice.parameters < choice.bytes < 5 * choice.parameters, choice.id
        assert all(code == MANY or len(code) == 2 for code in choice.languages)
        assert tasks_of(choice), choice.id
        config = {"architectures": [choice.architecture], "is_encoder_decoder": choice.kind == "encoder-decoder"}
        assert kind_of_config(config) == choice.kind, choice.id


def test_there_is_something_for_every_language_machine_and_task() -> None:
    for task in tasks.all_tasks().values():
        classes = classes_of(task)
        for language in ("en", "zh-Hans", "de", "", "other"):
            for memory in (1 << 20, 8 << 30, 64 << 30):
                for gpu in (False, True):
                    found = choose(language, memory, gpu, classes=classes)
                    assert found and all(choice.kind == kind_of(classes) for choice in found), (task.name, language)
                    assert all(choice.license and not (choice.pickle or choice.gated or choice.labels) for choice in found)
    assert catalog.machine_memory() > 1 << 26


def test_the_kind_follows_the_head() -> None:
    assert choose("zh", 16 << 30, gpu=False, classes=WRITES)[0].id == "Qwen/Qwen2.5-0.5B-Instruct"
    assert choose("zh", 8 << 30, gpu=False, classes=WRITES_ANEW)[0].id == "bigscience/mt0-small"
    assert choose("en", 8 << 30, gpu=False, classes=["DualEncoder"])[0].architecture == "CLIPModel"
    assert choose("en", 8 << 30, gpu=False, classes=MASKED)[0].architecture == "DistilBertForMaskedLM"
    assert choose("en", 8 << 30, gpu=False, classes=["AutoModelForQuestionAnswering"])[0].id == "deepset/roberta-base-squad2"
    assert choose("en", 8 << 30, gpu=False, classes=["AutoModelForSequenceClassification"])[0].parameters < 30_000_000


def test_a_translation_needs_both_languages() -> None:
    assert choose("en", 8 << 30, gpu=False, classes=WRITES_ANEW, writes="de")[0].id == "google-t5/t5-small"
    assert all(MANY in choice.languages for choice in choose("en", 64 << 30, gpu=True, classes=WRITES_ANEW, writes="zh"))


def test_memory_counts_by_method() -> None:
    full = choose("en", 20 * GB, gpu=True, classes=WRITES)
    lora = choose("en", 20 * GB, gpu=True, classes=WRITES, method="lora")
    assert full[0].parameters < lora[0].parameters
    smallest = choose("en", 1, gpu=False)
    assert [choice.id for choice in smallest] == ["sentence-transformers/all-MiniLM-L6-v2"]
    assert roughly_to_train(10**9, "qlora") == roughly_to_train(10**9, "lora") < roughly_to_train(10**9)
    costs = to_train(Sizes(10**9, 8 * 10**8, 10**7))
    assert costs["qlora"] < costs["lora"] < costs["full"]


def test_every_kind_has_a_blank_architecture_of_that_kind() -> None:
    for kind, name in BLANKS.items():
        config = {"model_type": ARCHITECTURES[name].model_type, "is_encoder_decoder": name in ("t5", "mt5", "bart", "mbart", "marian")}
        assert kind_of_config({**config, **({"vision_config": {}} if ARCHITECTURES[name].pictures else {})}) == kind
    assert {"clip", "siglip", "chinese_clip"} <= MODEL_TYPES  # the families of the table's dual encoders


@pytest.mark.parametrize(
    ("architecture", "wanted", "made"),
    [
        ("BertForPreTraining", "AutoModelForMaskedLM", True),
        ("ElectraForPreTraining", "AutoModelForMaskedLM", False),
        ("MarianMTModel", "AutoModelForSeq2SeqLM", True),
        ("MarianMTModel", "AutoModel", False),
        ("XLMRobertaModel", "AutoModel", True),
        ("BertForSequenceClassification", "AutoModelForQuestionAnswering", False),
    ],
)
def test_made_for(architecture: str, wanted: str, made: bool) -> None:
    assert made_for(architecture, [wanted]) == made


def test_what_a_model_with_labels_of_its_own_is_for() -> None:
    by_id = {choice.id: choice for choice in catalog.TABLE}
    assert tasks_of(by_id["dslim/bert-base-NER"]) == ["token-classification"]
    inference = tasks_of(by_id["MoritzLaurer/mDeBERTa-v3-base-mnli-xnli"])
    assert "zero-shot-classification" in inference and "multiple-choice" not in inference and "regression" not in inference
    assert "zero-shot-classification" not in tasks_of(by_id["FacebookAI/roberta-base"])
    assert tasks_of(by_id["facebook/bart-base"]) == ["summarization", "translation"]


def test_the_list_is_filtered_and_ordered_as_auto_would_take_it() -> None:
    rows = listed(tasks.get("summarization"), "zh", 8 * GB)
    assert {row["kind"] for row in rows} == {"encoder-decoder"} and all(
        "zh" in row["languages"] or MANY in row["languages"] for row in rows
    )
    assert all(min(row["training_bytes"].values()) <= 8 * GB for row in rows)
    assert next(row for row in rows if row["auto"])["id"] == choose("zh", 8 * GB, gpu=False, classes=WRITES_ANEW)[0].id
    assert len(listed()) == len(catalog.TABLE)
    assert listed(memory_bytes=1) == []
    assert listed(tasks.get("zero-shot"), "zh")[0]["id"] == "MoritzLaurer/mDeBERTa-v3-base-mnli-xnli"
