"""What the verbs take beside the settings: one annotation a parameter. Knows Typer and the words for help, no verb."""

from typing import Annotated, Any

from typer import Argument, Option

from weitiao import tasks
from weitiao.config import ServerSettings, TokenizerSettings
from weitiao.messages import N_
from weitiao.scope import PRECISIONS

DATA_HELP = N_("Your examples: CSV, TSV, JSON, JSON Lines, Parquet, Arrow or XLSX; a folder with train, validation and test; or hub:NAME.")
OUT_HELP = N_("Where the file's predictions go: .csv, .jsonl or .parquet. Without it they go to standard output as JSON Lines.")

Data = Annotated[str, Argument(metavar="DATA", help=DATA_HELP)]
DataOrConfig = Annotated[str | None, Argument(metavar="DATA", help=DATA_HELP)]
Run = Annotated[str, Argument(metavar="RUN", help=N_("The folder of a run, such as runs/reviews."))]
RunOrModel = Annotated[str, Argument(metavar="RUN", help=N_("The folder of a run; with --task a model: a folder, a hub id, offline."))]
Speaker = Annotated[str, Argument(metavar="RUN", help=N_("The folder of a run, or a model that writes: a folder or a hub id."))]
Texts = Annotated[list[str] | None, Argument(metavar="TEXT", help=N_("Texts to predict, each in quotes; or records as JSON."))]
Asked = Annotated[str | None, Argument(metavar="TEXT", help=N_("The text to explain, in quotes; or a record as JSON."))]
Name = Annotated[str | None, Argument(metavar="NAME", help=N_("A model's hub id, or hub:NAME for a data set."))]

Config = Annotated[str | None, Option(metavar="<file>", help=N_("Settings from a YAML file or from the run.json of a run; flags win."))]
SaveConfig = Annotated[str | None, Option(metavar="<file>", help=N_("Write the settings to a YAML file, then go on."))]
DryRun = Annotated[bool, Option("--dry-run", help=N_("Stop after the plan: columns, check, model, steps, time, memory."))]
Resume = Annotated[str | None, Option(metavar="<run>", help=N_("Go on with a run that was interrupted."))]

UseAs = Annotated[
    str | None,
    Option(
        "--task",
        metavar="<task>",
        help=N_("RUN is a pretrained model; use it for this task, such as question-answering."),
        autocompletion=lambda incomplete: [name for name in tasks.all_tasks() if name.startswith(incomplete)],
    ),
]

GATE = N_("The gate")
AtLeast = Annotated[
    list[str] | None,
    Option(
        metavar="<figure>",
        help=N_("A figure that must be reached, as in accuracy=0.8; if it is not, the exit code is 8. Can be repeated."),
        rich_help_panel=GATE,
    ),
]
AtMost = Annotated[
    list[str] | None,
    Option(metavar="<figure>", help=N_("The same for a figure of which less is better, as in mae=0.5."), rich_help_panel=GATE),
]

NewFile = Annotated[str, Argument(metavar="FILE", help=N_("The file to write, such as my_task.py."))]
Like = Annotated[
    str,
    Option(
        metavar="<task>",
        help=N_("The task that it starts from."),
        autocompletion=lambda incomplete: [name for name in tasks.all_tasks() if name.startswith(incomplete)],
    ),
]
Replace = Annotated[bool, Option("--overwrite", help=N_("Replace the file that stands there."))]
TrustTask = Annotated[bool, Option("--trust-task", help=N_("Let the task file of a run from elsewhere run. It is code: read it first."))]

File = Annotated[str | None, Option(metavar="<file>", help=N_("A file with the inputs; its other columns are carried along."))]
Out = Annotated[str | None, Option("--out", "-o", metavar="<file>", help=OUT_HELP)]

Precision = Annotated[
    str | None,
    Option(
        "--precision",
        metavar="|".join(PRECISIONS),
        help=N_(
            "Number format of the answers (fp32): int8 is faster on a CPU and taken where at least 99% of the answers to held-out "
            "rows stay; auto takes it for a file of many rows."
        ),
        autocompletion=lambda incomplete: [name for name in PRECISIONS if name.startswith(incomplete)],
    ),
]

TO_HELP = N_(
    "What it becomes: merged, one plain model of base and adapter; onnx, or ctranslate2 for a model that writes, which need no torch; "
    "onnx-int8 and ctranslate2-int8, smaller and faster; docker, a folder to build a container of the HTTP service from."
)
To = Annotated[str, Option("--to", metavar="<form>", help=TO_HELP)]
AllowLossy = Annotated[bool, Option("--allow-lossy", help=N_("Write it although it does not answer as the run does, or int8 is no gain."))]
ExportTo = Annotated[str, Option("--out", "-o", metavar="<folder>", help=N_("The folder to write, like a run's."))]
Served = Annotated[
    list[str], Argument(metavar="RUN", help=N_("Folders of runs, each maybe with a name before it: NAME=RUN; with --task one model."))
]
SERVER = N_("The server")


def _of(settings: type, name: str, panel: str | None) -> Any:
    """A flag for one of the settings that no recipe holds."""
    declared = settings.__dataclass_fields__[name]  # type: ignore[attr-defined]
    flag = "--" + name.replace("_", "-")
    about = {"help": declared.metadata["help"], "rich_help_panel": panel}
    if declared.default is False:
        return Annotated[bool, Option(flag, **about)]
    choices: tuple[str, ...] = declared.metadata["choices"]
    metavar = "|".join(choices) or {int: "<int>", float: "<number>"}.get(type(declared.default), "<text>")

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return Annotated[str | None, Option(flag, metavar=metavar, autocompletion=complete, **about)]


Host, Port, ApiKeyEnv, Workers = (_of(ServerSettings, name, SERVER) for name in ("host", "port", "api_key_env", "workers"))
Queue, Timeout, MaxBody, LogTexts = (_of(ServerSettings, name, SERVER) for name in ("queue", "timeout", "max_body", "log_texts"))

PAGE = N_("The page")
PageHost = _of(ServerSettings, "host", PAGE)
PagePort = Annotated[
    str | None, Option("--port", metavar="<int>", help=N_("Port to listen on (7860; 0 = any that is free)."), rich_help_panel=PAGE)
]
Share = Annotated[
    bool,
    Option("--share", help=N_("Also under a public address, through gradio's servers: anybody who has it may ask."), rich_help_panel=PAGE),
]
Overwrite = Annotated[bool, Option("--overwrite", help=N_("Replace the run or the export that stands there."))]

Html = Annotated[str | None, Option("--html", metavar="<file>", help=N_("Write it all to this page, one HTML file that opens anywhere."))]

Bundle = Annotated[str | None, Option(metavar="<file>", help=N_("Also pack it into this one file, to carry along."))]
Unpack = Annotated[str | None, Option(metavar="<file>", help=N_("Unpack such a file on this machine."))]

ForTask = Annotated[
    str | None,
    Option(
        "--task",
        metavar="<task>",
        help=N_("Only models for this task."),
        autocompletion=lambda incomplete: [name for name in tasks.all_tasks() if name.startswith(incomplete)],
    ),
]
Spoken = Annotated[str | None, Option("--language", metavar="<code>", help=N_("Only models that read this language: zh, en, de, ..."))]
Room = Annotated[str | None, Option("--memory", metavar="<size>", help=N_("Only models that can be trained in this memory, such as 8GB."))]
Inside = Annotated[str, Argument(metavar="RUN", help=N_("The folder of a run or a model, a hub id that is on this machine, or offline."))]

Markdown = Annotated[bool, Option("--markdown", help=N_("As Markdown, for a bug report."))]
Offline = Annotated[bool, Option("--offline", help=N_("Open no socket: ask no hub."))]

TALK = N_("The conversation")
System = Annotated[str | None, Option(metavar="<text>", help=N_("What the model is told before anybody speaks."), rich_help_panel=TALK)]
NewTokens = Annotated[str | None, Option("--max-new-tokens", metavar="<int>", help=N_("Longest reply, in tokens."), rich_help_panel=TALK)]
Temperature = Annotated[
    str | None,
    Option(
        metavar="<number>",
        help=N_("How freely replies are drawn (0 = always the likeliest token; the model's own repetition penalty counts)."),
        rich_help_panel=TALK,
    ),
]

CORPUS = N_("The corpus")
Corpus = Annotated[
    list[str],
    Argument(
        metavar="CORPUS",
        help=N_("Files of plain text (also .gz, .xz, .zst), JSON Lines, Parquet or other tables; folders of such; sample:en, sample:zh."),
    ),
]
TokenizerFolder = Annotated[str, Option("--out", "-o", metavar="<folder>", help=N_("The folder to write; it must not be there yet."))]
Beside = Annotated[
    list[str] | None,
    Option(
        "--beside", metavar="<model>", help=N_("Measure this model's tokenizer too: a folder, a hub id on this machine. Can be repeated.")
    ),
]
Kind, Family, VocabSize, Lowercase, Coverage, LongestText = (
    _of(TokenizerSettings, name, None) for name in ("kind", "family", "vocab_size", "lowercase", "coverage", "model_max_length")
)
TextColumn, DocumentIs, Raw, Characters = (
    _of(TokenizerSettings, name, CORPUS) for name in ("text_column", "document", "raw", "characters")
)
HeldOut, CorpusEncoding, CorpusBadRows, CorpusSeed = (
    _of(TokenizerSettings, name, CORPUS) for name in ("held_out", "encoding", "max_bad_rows", "seed")
)
