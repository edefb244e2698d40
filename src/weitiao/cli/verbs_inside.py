"""The verbs around the main job, one function each: looking inside, getting ready. No verb decides anything about data or models."""

from pathlib import Path
from typing import Any

from weitiao.cli.application import BEFORE, INSIDE, command
from weitiao.cli.options import asking_settings, verb
from weitiao.cli.parameters import (
    Asked,
    Beside,
    Bundle,
    Characters,
    Corpus,
    CorpusBadRows,
    CorpusEncoding,
    CorpusSeed,
    Coverage,
    DocumentIs,
    Family,
    ForTask,
    HeldOut,
    Html,
    Inside,
    Kind,
    Like,
    LongestText,
    Lowercase,
    Markdown,
    Name,
    NewFile,
    Offline,
    Raw,
    Replace,
    Room,
    Run,
    RunOrModel,
    Spoken,
    TextColumn,
    TokenizerFolder,
    TrustTask,
    Unpack,
    UseAs,
    VocabSize,
)
from weitiao.cli.screen import Screen
from weitiao.cli.subject import question, subject_of, typed
from weitiao.errors import UsageError
from weitiao.messages import N_, _, language


@command(
    INSIDE,
    N_("See how one answer comes about: its tokens, the network's numbers, what they are read with, and which words moved it."),
    'weitiao explain runs/reviews "a lovely day"',
    'weitiao explain runs/reviews "a lovely day" --html lovely.html',
    'weitiao explain deepset/roberta-base-squad2 "Who wrote it?" --task question-answering --context "Ann wrote it."',
)
@verb(asking_settings, columns=N_("Further inputs"))
def explain(
    screen: Screen,
    run: RunOrModel,
    asked: Asked = None,
    use_as: UseAs = None,
    html: Html = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.cli import explanation

    explanation.explain(screen, subject_of(run, use_as, settings, trust_task=trust_task), asked, html)


@command(
    INSIDE,
    N_("See what is in a run or a model: its files, its parameters, its vocabulary and labels, and the memory it takes."),
    "weitiao show runs/reviews",
    "weitiao show offline",
    "weitiao show google-bert/bert-base-chinese --json",
)
@verb()
def show(screen: Screen, run: Inside, offline: Offline = False) -> None:
    from weitiao.cli import anatomy

    anatomy.show(screen, run)  # with --offline or without: it looks at this machine alone


@command(
    INSIDE,
    N_("See which pretrained model is for which job, how large it is, and why: the table that --model auto chooses from."),
    "weitiao models --language zh",
    "weitiao models --task summarization --language zh --memory 8GB",
    "weitiao models --task chat --memory 16GB --json",
)
@verb()
def models(screen: Screen, use_as: ForTask = None, spoken: Spoken = None, memory: Room = None) -> None:
    from weitiao.cli import catalogue

    catalogue.models(screen, use_as, spoken, memory)


@command(INSIDE, N_("Write a run's report again: one HTML file that opens anywhere."), "weitiao report runs/reviews")
@verb()
def report(screen: Screen, run: Run, trust_task: TrustTask = False) -> None:
    from weitiao.cli.progress import working
    from weitiao.cli.tables import pairs

    with working(screen) as (api, _observer):
        path = api.load(run, **({"trust_task": True} if trust_task else {})).write_report()
    screen.result({"run": run, "report": str(path)}, pairs({_("report"): str(path)}), bare=str(path))
    screen.next(("weitiao", "predict", run, *question(run, trust_task=trust_task)))


@command(
    INSIDE,
    N_("Write a task file to change into your own (reading, model, loss, metric); --task my_task.py then uses it everywhere."),
    "weitiao new my_task.py --like text-classification",
)
@verb()
def new(screen: Screen, file: NewFile, like: Like = "text-classification", overwrite: Replace = False) -> None:
    from weitiao.cli.tables import pairs
    from weitiao.starters import commands, write_starter

    task = write_starter(file, like, overwrite=overwrite)
    screen.result({"file": file, "like": task.name}, pairs({_("file"): file, _("like"): task.name}), bare=file)
    screen.next(*commands(task, file)[:2])


@command(
    INSIDE,
    N_("See what is on this machine, what is wrong with it, and what to type."),
    "weitiao doctor",
    "weitiao doctor --markdown > doctor.md",
)
@verb()
def doctor(screen: Screen, markdown: Markdown = False, offline: Offline = False) -> None:
    from weitiao.cli import diagnosis
    from weitiao.doctor import examine

    screen.note(_("Looking around; this takes a few seconds."))
    examined = examine(offline=offline)
    if markdown and not screen.json:
        print(diagnosis.markdown(examined))
    else:
        screen.result(examined, *diagnosis.page(examined))
    screen.next(("weitiao", "check", "DATA"))


@command(
    BEFORE,
    N_("Get a base model or a data set before a journey, or pack it for a machine without a network."),
    "weitiao fetch bert-base-chinese",
    "weitiao fetch bert-base-chinese --bundle model.zip",
    "weitiao fetch --unpack model.zip",
)
@verb(lambda: ("revision", "offline"))
def fetch(screen: Screen, name: Name = None, bundle: Bundle = None, unpack: Unpack = None, **settings: Any) -> None:
    if (name is None) == (unpack is None) or (bundle is not None and unpack is not None):
        raise UsageError(_("Say what to fetch: weitiao fetch NAME, or weitiao fetch --unpack FILE."))
    from weitiao.cli.progress import observer_for
    from weitiao.cli.tables import pairs
    from weitiao.engine import bundles, hub
    from weitiao.quantities import size

    with observer_for(screen) as observer:
        if unpack is not None:
            got = bundles.unpack(Path(unpack), observer=observer)
        else:
            packed = Path(bundle) if bundle is not None else None
            got = hub.fetch(str(name), bundle=packed, language=language(), observer=observer, **typed(settings))
    lines = {_("name"): got["id"], _("folder"): got["path"], _("size"): size(got["bytes"])}
    lines |= {_("bundle"): bundle} if bundle is not None else {}
    screen.result(got, pairs(lines), bare=bundle or str(got["path"]))
    if bundle is not None:
        return screen.next(("weitiao", "fetch", "--unpack", bundle))
    known = name or ("offline" if got["id"].startswith("offline:") else got["id"])
    return screen.next(("weitiao", "train", known) if got["kind"] == "dataset" else ("weitiao", "train", "DATA", "--model", known))


@command(
    BEFORE,
    N_("Train a tokenizer on texts of your own, and see how well it spells them beside existing ones."),
    "weitiao tokenizer texts.txt --out tokenizers/mine",
    "weitiao tokenizer corpus/ news.jsonl.gz --family gpt2 --vocab-size 8000 --out tokenizers/news",
    "weitiao tokenizer novels.txt.xz --kind unigram --document paragraph --out tokenizers/novels --beside google-t5/t5-small",
)
@verb()
def tokenizer(
    screen: Screen,
    corpus: Corpus,
    out: TokenizerFolder,
    kind: Kind = None,
    family: Family = None,
    vocab_size: VocabSize = None,
    lowercase: Lowercase = False,
    coverage: Coverage = None,
    model_max_length: LongestText = None,
    beside: Beside = None,
    text_column: TextColumn = None,
    document: DocumentIs = None,
    raw: Raw = False,
    characters: Characters = None,
    held_out: HeldOut = None,
    encoding: CorpusEncoding = None,
    max_bad_rows: CorpusBadRows = None,
    seed: CorpusSeed = None,
) -> None:
    from weitiao.cli import tokenizers

    said = {"kind": kind, "family": family, "vocab_size": vocab_size, "lowercase": lowercase or None, "coverage": coverage}
    said |= {
        "model_max_length": model_max_length,
        "text_column": text_column,
        "document": document,
        "raw": raw or None,
        "characters": characters,
        "held_out": held_out,
    }
    said |= {"encoding": encoding, "max_bad_rows": max_bad_rows, "seed": seed}
    tokenizers.tokenizer(screen, corpus, out, beside or [], {name: value for name, value in said.items() if value is not None})
