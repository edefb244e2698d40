"""The table of pretrained models that ``weitiao models`` shows and ``--model auto`` chooses from: what each is, and why one would take it.

Knowledge, not a promise: ids, licences and sizes are as they were when this was written, and what a hub really holds is checked when it is
fetched. Where a repository held its weights as pickle alone the entry says so, and ``auto`` passes over it: weitiao reads safetensors,
which such repositories often have in an open pull request (``--revision refs/pr/NUMBER``). Within a kind the preferred come first.
"""

from dataclasses import dataclass

from weitiao.engine.heads import Kind
from weitiao.messages import N_

MANY = "many"


@dataclass(frozen=True)
class Choice:
    """A base model.

    Attributes:
        id: its name on the hub.
        kind: which kind of model.
        architecture: the class that its config names.
        languages: ISO 639-1 codes of those it knows best, and "many" where it knows about a hundred, Chinese and English among them.
        parameters: how many.
        license: SPDX id, or the licence's own name; "" where its card declares none.
        bytes: what a run downloads.
        reason: an English phrase, marked for translation.
        gpu: meant for a machine with a GPU.
        labels: those of its own head, where it was trained for one question: such a model is used as it is.
        writes: ISO 639-1 code of what it writes, where that is another language than it reads.
        pickle: its repository held no safetensors.
        gated: its conditions must be accepted on the hub first.
        auto: whether ``auto`` may take it, where nothing of the above stands in the way.
    """

    id: str
    kind: Kind
    architecture: str
    languages: tuple[str, ...]
    parameters: int
    license: str
    bytes: int
    reason: str
    gpu: bool = False
    labels: tuple[str, ...] = ()
    writes: str = ""
    pickle: bool = False
    gated: bool = False
    auto: bool = True


_EN, _ZH, _MANY, _BOTH = ("en",), ("zh",), (MANY,), ("zh", "en", MANY)
_APACHE, _MIT, _CC_BY = "Apache-2.0", "MIT", "CC-BY-4.0"
_NLI = ("entailment", "neutral", "contradiction")
_ENTITIES = ("O", "B-MISC", "I-MISC", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


def _of(
    kind: Kind,
    id: str,
    architecture: str,
    languages: tuple[str, ...],
    millions: float,
    megabytes: float,
    license: str,
    reason: str,
    *,
    gpu: bool = False,
    labels: tuple[str, ...] = (),
    writes: str = "",
    pickle: bool = False,
    gated: bool = False,
    auto: bool = True,
) -> Choice:
    """A row as it is written below: parameters in millions, its download in MB."""
    parameters, size = round(1e6 * millions), round(1e6 * megabytes)
    return Choice(id, kind, architecture, languages, parameters, license, size, reason, gpu, labels, writes, pickle, gated, auto)


# fmt: off
ENCODERS = (
    _of("encoder", "sentence-transformers/all-MiniLM-L6-v2", "BertModel", _EN, 22.7, 92, _APACHE,
        N_("a small English encoder that trains in minutes on a CPU; the packaged offline base has the same weights")),
    _of("encoder", "BAAI/bge-small-en-v1.5", "BertModel", _EN, 33.4, 134, _MIT,
        N_("English sentence vectors, small; a good classifier too")),
    _of("encoder", "distilbert/distilbert-base-uncased", "DistilBertForMaskedLM", _EN, 67, 269, _APACHE,
        N_("an English encoder of half BERT's depth: slower on a CPU than the smallest, often a little better")),
    _of("encoder", "google/electra-small-discriminator", "ElectraForPreTraining", _EN, 13.5, 55, _APACHE,
        N_("the smallest good English encoder: ELECTRA learned by telling real words from replaced ones"), pickle=True),
    _of("encoder", "FacebookAI/roberta-base", "RobertaForMaskedLM", _EN, 125, 502, _MIT,
        N_("a strong and forgiving English encoder for a machine with a GPU"), gpu=True),
    _of("encoder", "answerdotai/ModernBERT-base", "ModernBertForMaskedLM", _EN, 149, 601, _APACHE,
        N_("a recent English encoder that reads up to 8192 tokens, for a machine with a GPU"), gpu=True),
    _of("encoder", "google-bert/bert-base-uncased", "BertForMaskedLM", _EN, 110, 441, _APACHE,
        N_("the English BERT of the textbooks; it reads everything in lower case"), gpu=True),
    _of("encoder", "google-bert/bert-base-cased", "BertForMaskedLM", _EN, 108, 436, _APACHE,
        N_("the English BERT that keeps upper case, as finding names wants it"), gpu=True),
    _of("encoder", "BAAI/bge-base-en-v1.5", "BertModel", _EN, 109, 439, _MIT,
        N_("English sentence vectors, better and slower than the small BGE"), gpu=True),
    _of("encoder", "microsoft/deberta-v3-base", "", _EN, 184, 374, _MIT,
        N_("often the best English encoder of its size for classification, and slow to train"), gpu=True, pickle=True),
    _of("encoder", "answerdotai/ModernBERT-large", "ModernBertForMaskedLM", _EN, 395, 1_586, _APACHE,
        N_("the large ModernBERT, where a few points more are worth the time"), gpu=True),
    _of("encoder", "FacebookAI/roberta-large", "RobertaForMaskedLM", _EN, 355, 1_425, _MIT,
        N_("the large RoBERTa: strong, and sometimes unstable with few rows"), gpu=True),
    _of("encoder", "deepset/roberta-base-squad2", "RobertaForQuestionAnswering", _EN, 124, 498, _CC_BY,
        N_("RoBERTa that has learned to answer questions from SQuAD 2.0: usable at once, or a base for your own questions"), gpu=True),
    _of("encoder", "dslim/bert-base-NER", "BertForTokenClassification", _EN, 108, 434, _MIT,
        N_("finds people, places and organisations in English as it is"), gpu=True, labels=_ENTITIES),
    _of("encoder", "MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli", "DebertaV2ForSequenceClassification", _EN, 184, 379, _MIT,
        N_("knows whether one English sentence follows from another: any labels, without training"), gpu=True, labels=_NLI),
    _of("encoder", "BAAI/bge-small-zh-v1.5", "BertModel", _ZH, 24, 96.5, _MIT,
        N_("a small Chinese encoder that trains in minutes on a CPU")),
    _of("encoder", "hfl/chinese-electra-180g-small-discriminator", "ElectraForPreTraining", _ZH, 12.3, 50, _APACHE,
        N_("the smallest good Chinese encoder: ELECTRA on 180 GB of text"), pickle=True),
    _of("encoder", "google-bert/bert-base-chinese", "BertForMaskedLM", _ZH, 102, 412.5, _APACHE,
        N_("the standard Chinese BERT, for a machine with a GPU or for patience"), gpu=True),
    _of("encoder", "BAAI/bge-base-zh-v1.5", "BertModel", _ZH, 102, 410, _MIT,
        N_("Chinese sentence vectors, better and slower than the small BGE"), gpu=True),
    _of("encoder", "hfl/chinese-bert-wwm-ext", "BertForMaskedLM", _ZH, 102, 412, _APACHE,
        N_("Chinese BERT trained on whole words rather than single characters, on more text"), gpu=True, pickle=True),
    _of("encoder", "hfl/chinese-roberta-wwm-ext", "BertForMaskedLM", _ZH, 102, 412, _APACHE,
        N_("Chinese BERT trained on whole words and longer, as RoBERTa was: the usual choice of Chinese courses"), gpu=True, pickle=True),
    _of("encoder", "hfl/chinese-macbert-base", "BertForMaskedLM", _ZH, 102, 412, _APACHE,
        N_("Chinese BERT trained with similar words in the place of masks; good at correcting and classifying"), gpu=True, pickle=True),
    _of("encoder", "BAAI/bge-large-zh-v1.5", "BertModel", _ZH, 326, 1_303, _MIT,
        N_("the large BGE: Chinese sentence vectors of high quality"), gpu=True),
    _of("encoder", "intfloat/multilingual-e5-small", "BertModel", _MANY, 118, 493, _MIT,
        N_("a small encoder for about a hundred languages; most of its size is vocabulary")),
    _of("encoder", "distilbert/distilbert-base-multilingual-cased", "DistilBertForMaskedLM", _MANY, 135, 542, _APACHE,
        N_("half the depth of the multilingual BERT, for a hundred languages")),
    _of("encoder", "FacebookAI/xlm-roberta-base", "XLMRobertaForMaskedLM", _MANY, 278, 1_130, _MIT,
        N_("the standard encoder for a hundred languages, for a machine with a GPU"), gpu=True),
    _of("encoder", "google-bert/bert-base-multilingual-cased", "BertForMaskedLM", _MANY, 178, 717, _APACHE,
        N_("the BERT of a hundred languages"), gpu=True),
    _of("encoder", "intfloat/multilingual-e5-base", "XLMRobertaModel", _MANY, 278, 1_130, _MIT,
        N_("sentence vectors for a hundred languages, better and slower than the small E5"), gpu=True),
    _of("encoder", "MoritzLaurer/mDeBERTa-v3-base-mnli-xnli", "DebertaV2ForSequenceClassification", _MANY, 279, 580, _MIT,
        N_("knows whether one sentence follows from another in Chinese, English and many more: any labels, without training"),
        gpu=True, labels=_NLI),
)

ENCODER_DECODERS = (
    _of("encoder-decoder", "google-t5/t5-small", "T5ForConditionalGeneration", ("en", "de", "fr", "ro"), 60.5, 246, _APACHE,
        N_("the small T5: summarises English, and translates English, German, French and Romanian")),
    _of("encoder-decoder", "google/flan-t5-small", "T5ForConditionalGeneration", _EN, 77, 313, _APACHE,
        N_("a small T5 that has learned to follow instructions")),
    _of("encoder-decoder", "facebook/bart-base", "BartModel", _EN, 139, 561, _APACHE,
        N_("English BART: a good base for summaries, on a CPU with patience")),
    _of("encoder-decoder", "google/flan-t5-base", "T5ForConditionalGeneration", _EN, 248, 994, _APACHE,
        N_("T5 that follows instructions, for a machine with a GPU"), gpu=True),
    _of("encoder-decoder", "facebook/bart-large-cnn", "BartForConditionalGeneration", _EN, 406, 1_628, _MIT,
        N_("summarises English news as it is; a strong base for other summaries"), gpu=True),
    _of("encoder-decoder", "fnlp/bart-base-chinese", "BartForConditionalGeneration", _ZH, 140, 562, "",
        N_("Chinese BART, for summaries and rewriting")),
    _of("encoder-decoder", "bigscience/mt0-small", "MT5ForConditionalGeneration", _MANY, 300, 1_221, _APACHE,
        N_("the small mT5 after learning instructions in many languages; most of its size is vocabulary")),
    _of("encoder-decoder", "google/mt5-small", "MT5ForConditionalGeneration", _MANY, 300, 1_205, _APACHE,
        N_("the small mT5 of a hundred languages, before any instruction: it needs more rows"), pickle=True),
    _of("encoder-decoder", "bigscience/mt0-base", "MT5ForConditionalGeneration", _MANY, 582, 2_351, _APACHE,
        N_("mT5 after learning instructions, for a machine with a GPU"), gpu=True),
    _of("encoder-decoder", "Helsinki-NLP/opus-mt-zh-en", "MarianMTModel", _ZH, 77.9, 315, _CC_BY,
        N_("translates Chinese into English as it is, and learns your words for things"), writes="en", pickle=True),
    _of("encoder-decoder", "Helsinki-NLP/opus-mt-en-zh", "MarianMTModel", _EN, 77.9, 315, _APACHE,
        N_("translates English into Chinese as it is, and learns your words for things"), writes="zh", pickle=True),
)

DECODERS = (
    _of("decoder", "HuggingFaceTB/SmolLM2-135M-Instruct", "LlamaForCausalLM", _EN, 134.5, 273, _APACHE,
        N_("a very small English chat model of Llama's make, that a laptop can train whole")),
    _of("decoder", "openai-community/gpt2", "GPT2LMHeadModel", _EN, 124, 551, _MIT,
        N_("the classic English GPT-2: it goes on with a text and knows no conversation")),
    _of("decoder", "HuggingFaceTB/SmolLM2-360M-Instruct", "LlamaForCausalLM", _EN, 362, 727, _APACHE,
        N_("a small English chat model of Llama's make")),
    _of("decoder", "Qwen/Qwen2.5-0.5B-Instruct", "Qwen2ForCausalLM", _BOTH, 494, 1_000, _APACHE,
        N_("the smallest Qwen that answers well in Chinese and English; LoRA fits a laptop")),
    # Qwen 3 writes its empty thoughts into every answer that it learns: to be chosen knowingly.
    _of("decoder", "Qwen/Qwen3-0.6B", "Qwen3ForCausalLM", _BOTH, 596, 1_520, _APACHE,
        N_("a newer small Qwen for Chinese, English and many more; it may think aloud before it answers"), auto=False),
    _of("decoder", "Qwen/Qwen2.5-1.5B-Instruct", "Qwen2ForCausalLM", _BOTH, 1_544, 3_099, _APACHE,
        N_("a Qwen that is noticeably better at facts and instructions, for a machine with a GPU"), gpu=True),
    _of("decoder", "Qwen/Qwen3-1.7B", "Qwen3ForCausalLM", _BOTH, 1_721, 4_080, _APACHE,
        N_("a newer Qwen of middling size, for a machine with a GPU"), gpu=True, auto=False),
    _of("decoder", "Qwen/Qwen3-4B", "Qwen3ForCausalLM", _BOTH, 4_022, 8_060, _APACHE,
        N_("a strong Qwen for LoRA on one GPU"), gpu=True, auto=False),
    _of("decoder", "Qwen/Qwen2.5-7B-Instruct", "Qwen2ForCausalLM", _BOTH, 7_616, 15_240, _APACHE,
        N_("a large Qwen for QLoRA or LoRA on a large GPU"), gpu=True),
    _of("decoder", "meta-llama/Llama-3.2-1B-Instruct", "LlamaForCausalLM", ("en", "de", "fr", "it", "pt", "hi", "es", "th"),
        1_236, 2_490, "llama3.2", N_("the smallest Llama 3, for eight languages; not Chinese"), gpu=True, gated=True),
    _of("decoder", "meta-llama/Llama-3.1-8B-Instruct", "LlamaForCausalLM", ("en", "de", "fr", "it", "pt", "hi", "es", "th"),
        8_030, 16_070, "llama3.1", N_("Llama 3 for QLoRA or LoRA on a large GPU; not Chinese"), gpu=True, gated=True),
    _of("decoder", "mistralai/Mistral-7B-Instruct-v0.3", "MistralForCausalLM", _EN, 7_248, 14_500, _APACHE,
        N_("Mistral for QLoRA or LoRA on a large GPU; English before all"), gpu=True, gated=True),
)

DUAL_ENCODERS = (
    _of("dual", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "CLIPModel", _EN, 151, 609, _MIT,
        N_("CLIP trained on open data, for pictures with English texts")),
    _of("dual", "openai/clip-vit-base-patch32", "CLIPModel", _EN, 151, 609, _MIT,
        N_("the first CLIP, for pictures with English texts"), pickle=True),
    _of("dual", "google/siglip-base-patch16-224", "SiglipModel", _EN, 203, 816, _APACHE,
        N_("SigLIP: better than CLIP at telling what fits, for a machine with a GPU"), gpu=True),
    _of("dual", "google/siglip2-base-patch16-224", "SiglipModel", _MANY, 375, 1_540, _APACHE,
        N_("SigLIP 2: pictures with texts in Chinese, English and many more"), gpu=True),
    _of("dual", "OFA-Sys/chinese-clip-vit-base-patch16", "ChineseCLIPModel", _ZH, 188, 753, "",
        N_("CLIP for pictures with Chinese texts"), pickle=True),
)
# fmt: on

TABLE = (*ENCODERS, *ENCODER_DECODERS, *DECODERS, *DUAL_ENCODERS)
