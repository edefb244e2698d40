"""The verbs, one function each: parse, call ``weitiao.api``, print. No verb decides anything about data, models or training."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from weitiao import tasks
from weitiao.cli.commands import Command, Group
from weitiao.cli.options import EVERYWHERE, LANG, asking_settings, reading_settings, refuse_other_languages, settings_of, verb
from weitiao.cli.parameters import (
    Asked,
    Bundle,
    Config,
    Data,
    DataOrConfig,
    DryRun,
    File,
    ForTask,
    Html,
    Inside,
    Like,
    Markdown,
    Name,
    NewFile,
    NewTokens,
    Offline,
    Out,
    Replace,
    Resume,
    Room,
    Run,
    RunOrModel,
    SaveConfig,
    Speaker,
    Spoken,
    System,
    Temperature,
    Texts,
    TrustTask,
    Unpack,
    UseAs,
)
from weitiao.cli.screen import Screen
from weitiao.cli.subject import as_flag, subject_of, typed
from weitiao.config import Recipe, read_config
from weitiao.errors import UsageError
from weitiao.messages import N_, _, language

MAIN, INSIDE, BEFORE = N_("The main job"), N_("Looking inside"), N_("Getting ready")

app = typer.Typer(
    name="weitiao",
    cls=Group,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=N_("From a file of examples to a working language model: check the data, fine-tune, evaluate, predict, report."),
    epilog='weitiao check reviews.csv\nweitiao train reviews.csv\nweitiao predict runs/reviews "a lovely day"',
)


def group() -> Any:
    """The command line, ready to parse."""
    made: Any = typer.main.get_command(app)
    texts = {
        "install_completion": N_("Let the Tab key complete commands and flags in this shell."),
        "show_completion": N_("Print the script that does so."),
    }
    for parameter in made.params:
        if parameter.name in texts:
            parameter.help, parameter.rich_help_panel = texts[parameter.name], N_("Shell")
    return made


@app.callback(invoke_without_command=True)
def weitiao(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help=N_("Print the version."), rich_help_panel=EVERYWHERE)] = False,
    lang: Annotated[str | None, LANG] = None,
) -> None:
    """What may stand before a verb, and what happens without one."""
    refuse_other_languages(lang)
    if version:
        from weitiao import __version__

        print(f"weitiao {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def _command(panel: str, help: str, *examples: str) -> Any:
    return app.command(cls=Command, rich_help_panel=panel, help=help, epilog="\n".join(examples))


@_command(
    MAIN,
    N_("Look at the data before training: columns, labels, duplicates, leakage, lengths."),
    "weitiao check reviews.csv",
    "weitiao check reviews.csv --text title,body --label stars --json",
)
@verb(settings_of("columns", "data", "task", "model"))
def check(screen: Screen, data: DataOrConfig = None, config: Config = None, trust_task: TrustTask = False, **settings: Any) -> None:
    source, given = _given(screen, data, config, settings, trust_task=trust_task)
    from weitiao.cli import tables
    from weitiao.cli.progress import working

    with working(screen, results=True) as (api, observer):
        found = api.check(source, observer=observer, **given)
    screen.result(found, *tables.checked(found["check"], found["plan"], found["ledger"]))
    screen.next(("weitiao", *("train" if word == "check" else word for word in screen.arguments)))


@_command(
    MAIN,
    N_("Fine-tune a model on your examples, evaluate it, and write everything into a run's folder."),
    "weitiao train reviews.csv",
    "weitiao train train.csv --valid val.csv --test test.csv --epochs 3 --out runs/reviews",
    "weitiao train --resume runs/reviews",
)
@verb(settings_of("columns", "data", "task", "model", "training", "output"))
def train(
    screen: Screen,
    data: DataOrConfig = None,
    config: Config = None,
    save_config: SaveConfig = None,
    dry_run: DryRun = False,
    resume: Resume = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    if resume is not None:
        _alone_with_resume(data, config, save_config, dry_run, settings)
        from weitiao.cli.progress import working

        with working(screen) as (api, observer):
            run = api.resume(resume, observer=observer, **({"trust_task": True} if trust_task else {}))
        return _trained(screen, run)
    source, given = _given(screen, data, config, settings, trust_task=trust_task)
    from weitiao.cli import tables
    from weitiao.cli.progress import working

    if save_config is not None:
        _save_config(screen, save_config, tasks.recipe({**given, "data": source}))
    if dry_run:
        with working(screen, results=True) as (api, observer):
            plan = api.plan(source, observer=observer, **given)
        shown = [*tables.checked(observer.check, observer.columns, observer.ledger), *tables.training_plan(plan)]
        values = {"plan": plan, "columns": observer.columns, "check": observer.check, "ledger": observer.ledger}
        screen.result(values, *shown, path=str(plan.get("out") or ""))
        return screen.next(("weitiao", *(word for word in screen.arguments if word != "--dry-run")))
    with working(screen) as (api, observer):
        run = api.train(source, observer=observer, command=["weitiao", *screen.arguments], **given)
    return _trained(screen, run)


@_command(
    MAIN,
    N_("Evaluate a run, or a pretrained model, on labelled data: figures with intervals, beside simple baselines."),
    "weitiao evaluate runs/reviews test.csv",
    "weitiao evaluate runs/reviews test.csv --label stars --json",
    "weitiao evaluate deepset/roberta-base-squad2 dev.json --task question-answering",
)
@verb(reading_settings())
def evaluate(screen: Screen, run: RunOrModel, data: Data, use_as: UseAs = None, trust_task: TrustTask = False, **settings: Any) -> None:
    subject = subject_of(run, use_as, settings, trust_task=trust_task)
    reading = subject.of_file()
    from weitiao.cli import figures
    from weitiao.cli.progress import working

    with working(screen, results=True) as (api, observer):
        evaluation = api.load(run, **subject.loading).evaluate(data, observer=observer, **reading)
    screen.result(evaluation, *figures.evaluated(evaluation), path=run)
    report = () if use_as else (("weitiao", "report", run),)
    screen.next(*report, ("weitiao", "predict", run, *subject.flags, "--file", data, "--out", "predictions.csv"))


@_command(
    MAIN,
    N_("Predict with a run, or a pretrained model: texts on the command line, a file, or standard input with one text a line."),
    'weitiao predict runs/reviews "a lovely day" "never again"',
    "weitiao predict runs/reviews --file new.csv --out predictions.csv",
    'weitiao predict deepset/roberta-base-squad2 "Who wrote it?" --task question-answering --context "Ann wrote it."',
)
@verb(reading_settings(), columns=N_("Further inputs: columns of --file, else values"))
def predict(
    screen: Screen,
    run: RunOrModel,
    texts: Texts = None,
    use_as: UseAs = None,
    file: File = None,
    out: Out = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.cli import answers

    if file is not None and texts:
        raise UsageError(_("Give texts or --file, not both."))
    if file is None and out is not None:
        raise UsageError(_("{flags} says how a file is treated, so it needs --file.").format(flags="--out"))
    subject = subject_of(run, use_as, settings, trust_task=trust_task)
    if file is not None:
        return answers.predict_file(screen, subject, file, out)
    # A whole record may stand in the flags: --question "..." --context "..."
    by_flag = not texts and subject.asks_more and subject.task.inputs[0].flag in subject.columns
    given = subject.values(first=by_flag)
    if by_flag:
        return answers.predict_texts(screen, subject, [given.pop(subject.task.inputs[0].name)], given)
    if not texts and sys.stdin.isatty():
        raise UsageError(_('There is nothing to predict. Give a text: weitiao predict {run} "a lovely day"').format(run=run))
    return answers.predict_texts(screen, subject, texts or sys.stdin, given)


@_command(
    MAIN,
    N_("Talk with a model that writes, in the terminal: a run, or a pretrained model. Ctrl-D or /exit ends it."),
    "weitiao chat runs/assistant",
    'weitiao chat Qwen/Qwen2.5-0.5B-Instruct --system "Answer in one sentence." --temperature 0.7',
    'echo "What is fine-tuning?" | weitiao chat Qwen/Qwen2.5-0.5B-Instruct',
)
@verb(("max_length", "revision", "offline", "trust_remote_code"))
def chat(
    screen: Screen,
    run: Speaker,
    system: System = None,
    max_new_tokens: NewTokens = None,
    temperature: Temperature = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.cli import talk

    ways = {"max_new_tokens": max_new_tokens, "temperature": temperature}
    given = {**settings, **{name: value for name, value in ways.items() if value is not None}}
    talk.chat(screen, run, system or "", given, trust_task=trust_task)


@_command(
    INSIDE,
    N_("See how one answer comes about: its tokens, the network's numbers, what they are read with, and which words moved it."),
    'weitiao explain runs/reviews "a lovely day"',
    'weitiao explain runs/reviews "a lovely day" --html lovely.html',
    'weitiao explain deepset/roberta-base-squad2 "Who wrote it?" --task question-answering --context "Ann wrote it."',
)
@verb(asking_settings(), columns=N_("Further inputs"))
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


@_command(
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


@_command(
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


@_command(INSIDE, N_("Write a run's report again: one HTML file that opens anywhere."), "weitiao report runs/reviews")
@verb()
def report(screen: Screen, run: Run, trust_task: TrustTask = False) -> None:
    from weitiao.cli.progress import working
    from weitiao.cli.tables import pairs

    with working(screen) as (api, _observer):
        path = api.load(run, **({"trust_task": True} if trust_task else {})).write_report()
    screen.result({"run": run, "report": str(path)}, pairs({_("report"): str(path)}), path=run)
    screen.next(("weitiao", "predict", run, _("your text")))


@_command(
    INSIDE,
    N_("Write a task file to change into your own (reading, model, loss, metric); --task my_task.py then uses it everywhere."),
    "weitiao new my_task.py --like text-classification",
)
@verb()
def new(screen: Screen, file: NewFile, like: Like = "text-classification", overwrite: Replace = False) -> None:
    from weitiao.cli.tables import pairs
    from weitiao.starters import write_starter

    task = write_starter(file, like, overwrite=overwrite)
    screen.result({"file": file, "like": task.name}, pairs({_("file"): file, _("like"): task.name}), path=file)
    screen.next(("weitiao", "check", "DATA", "--task", file), ("weitiao", "train", "DATA", "--task", file))


@_command(
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


@_command(
    BEFORE,
    N_("Get a base model or a data set before a journey, or pack it for a machine without a network."),
    "weitiao fetch bert-base-chinese",
    "weitiao fetch bert-base-chinese --bundle model.zip",
    "weitiao fetch --unpack model.zip",
)
@verb(("revision", "offline"))
def fetch(screen: Screen, name: Name = None, bundle: Bundle = None, unpack: Unpack = None, **settings: Any) -> None:
    if (name is None) == (unpack is None) or (bundle is not None and unpack is not None):
        raise UsageError(_("Say what to fetch: weitiao fetch NAME, or weitiao fetch --unpack FILE."))
    from weitiao.cli.progress import observer_for
    from weitiao.cli.quantities import size
    from weitiao.cli.tables import pairs
    from weitiao.engine import bundles, hub

    with observer_for(screen) as observer:
        if unpack is not None:
            got = bundles.unpack(Path(unpack), observer=observer)
        else:
            packed = Path(bundle) if bundle is not None else None
            got = hub.fetch(str(name), bundle=packed, language=language(), observer=observer, **typed(settings))
    lines = {_("name"): got["id"], _("folder"): got["path"], _("size"): size(got["bytes"])}
    lines |= {_("bundle"): bundle} if bundle is not None else {}
    screen.result(got, pairs(lines), path=bundle or str(got["path"]))
    if bundle is not None:
        return screen.next(("weitiao", "fetch", "--unpack", bundle))
    known = name or ("offline" if got["id"].startswith("offline:") else got["id"])
    return screen.next(("weitiao", "train", known) if got["kind"] == "dataset" else ("weitiao", "train", "DATA", "--model", known))


def _given(
    screen: Screen, data: str | None, config: str | None, settings: Mapping[str, Any], *, trust_task: bool
) -> tuple[str, dict[str, Any]]:
    """The data's name and the settings that were given: the config file's under the flags'. Judged before anything heavy is imported."""
    values = {**(read_config(config) if config is not None else {}), **settings}
    source = str(data if data is not None else values.get("data") or "")
    values.pop("data", None)
    if "task" not in settings and not trust_task:
        tasks.refuse_strange(str(values.get("task") or ""))  # a config file may be anybody's
    tasks.recipe(values)
    if not source:
        words = {"command": f"weitiao {screen.arguments[0]}" if screen.arguments else "weitiao train"}
        raise UsageError(_("Say which data: {command} reviews.csv").format(**words))
    return source, values


def _alone_with_resume(data: str | None, config: str | None, save_config: str | None, dry_run: bool, settings: Mapping[str, Any]) -> None:
    """Raises UsageError for what cannot stand beside --resume: a run goes on as it began, or it would not be the same run."""
    beside = {"DATA": data, "--config": config, "--save-config": save_config, "--dry-run": dry_run or None}
    named = [name for name, value in beside.items() if value is not None] + [as_flag(name) for name in settings]
    if named:
        message = _("--resume goes on with the settings that the run began with. Leave out {names}, or start a new run.")
        raise UsageError(message.format(names=", ".join(named)))


def _save_config(screen: Screen, path: str, recipe: Recipe) -> None:
    import yaml

    from weitiao.runs import write_text

    write_text(Path(path), yaml.safe_dump(recipe.flat(), sort_keys=False, allow_unicode=True))
    screen.note(_("The settings are in {path}.").format(path=path))


def _trained(screen: Screen, run: Any) -> None:
    """The result of a training run."""
    from weitiao.cli import figures, tables

    path, record = str(run.path), run.record
    where = {_("run"): path} | ({_("report"): str(run.folder.report)} if run.folder.report.is_file() else {})
    shown = [*(figures.evaluated(record["evaluation"]) if record.get("evaluation") else []), "", tables.pairs(where)]
    screen.result({"run": path, **record}, *shown, path=path)
    screen.next(("weitiao", "predict", path, _("your text")), ("weitiao", "report", path))
