"""The verbs of the main job, one function each: parse, call ``weitiao.api``, print. No verb decides anything about data, models or
training.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from weitiao import forms, tasks
from weitiao.cli import standard_input
from weitiao.cli.application import MAIN, command
from weitiao.cli.options import answering_settings, reading_settings, settings_of, verb
from weitiao.cli.parameters import (
    AllowLossy,
    ApiKeyEnv,
    AtLeast,
    AtMost,
    Config,
    Data,
    DataOrConfig,
    DryRun,
    ExportTo,
    File,
    Host,
    LogTexts,
    MaxBody,
    NewTokens,
    Out,
    Overwrite,
    PageHost,
    PagePort,
    Port,
    Precision,
    Queue,
    Resume,
    Run,
    RunOrModel,
    SaveConfig,
    Served,
    Share,
    Speaker,
    System,
    Temperature,
    Texts,
    Timeout,
    To,
    TrustTask,
    UseAs,
    Workers,
)
from weitiao.cli.resuming import finished, resumed
from weitiao.cli.screen import Screen
from weitiao.cli.subject import question, subject_of, typed
from weitiao.config import Recipe, ServerSettings, read_config
from weitiao.errors import UsageError
from weitiao.messages import N_, _

DEMO_PORT = 7860  # where people look for a page of gradio


@command(
    MAIN,
    N_("Look at the data before training: columns, labels, duplicates, leakage, lengths."),
    "weitiao check reviews.csv",
    "weitiao check reviews.csv --text title,body --label stars --json",
)
@verb(partial(settings_of, "columns", "data", "task", "model"))
def check(screen: Screen, data: DataOrConfig = None, config: Config = None, trust_task: TrustTask = False, **settings: Any) -> None:
    source, given = _given(screen, data, config, settings, trust_task=trust_task)
    from weitiao.cli import tables
    from weitiao.cli.progress import working

    with working(screen, results=True) as (api, observer):
        found = api.check(source, observer=observer, **given)
    screen.result(found, *tables.checked(found["check"], found["plan"], found["ledger"]))
    words = list(screen.arguments)
    words[words.index("check")] = "train"  # the verb stands before whatever else is called check
    screen.next(("weitiao", *words))


@command(
    MAIN,
    N_("Fine-tune a model on your examples, evaluate it, and write everything into a run's folder."),
    "weitiao train reviews.csv",
    "weitiao train train.csv --valid val.csv --test test.csv --epochs 3 --out runs/reviews",
    "weitiao train --resume runs/reviews",
)
@verb(partial(settings_of, "columns", "data", "task", "model", "training", "adapter", "output"))
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
        beside = {"DATA": data, "--config": config, "--save-config": save_config, "--dry-run": dry_run or None}
        return resumed(screen, resume, beside, settings, trust_task=trust_task)
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
        screen.result(values, *shown)
        return screen.next(("weitiao", *(word for word in screen.arguments if word != "--dry-run")))
    with working(screen, unsaved=_("Interrupted before training began; nothing was saved.")) as (api, observer):
        run = api.train(source, observer=observer, command=["weitiao", *screen.arguments], **given)
    return finished(screen, run)


@command(
    MAIN,
    N_("Evaluate a run, or a pretrained model, on labelled data: figures with intervals, beside simple baselines."),
    "weitiao evaluate runs/reviews test.csv",
    "weitiao evaluate runs/reviews test.csv --label stars --at-least accuracy=0.8",
    "weitiao evaluate deepset/roberta-base-squad2 dev.json --task question-answering",
)
@verb(reading_settings)
def evaluate(
    screen: Screen,
    run: RunOrModel,
    data: Data,
    use_as: UseAs = None,
    precision: Precision = None,
    at_least: AtLeast = None,
    at_most: AtMost = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.metrics import check_demands, check_figures, foresee_demands, parse_demands

    asked = {"--at-least": at_least or (), "--at-most": at_most or ()}
    for flag, texts in asked.items():
        parse_demands(texts, flag)  # what is no demand is said before anything is looked up
    subject = subject_of(run, use_as, settings, precision=precision, trust_task=trust_task)
    own = subject.task.origin is not None
    least, most = (parse_demands(texts, flag, own=own) for flag, texts in asked.items())
    foresee_demands(least, most, subject.evaluation, own=own)
    reading = subject.of_file()
    from weitiao.cli import figures
    from weitiao.cli.progress import LOADING, working

    with working(screen, results=True, first=_(LOADING)) as (api, observer):
        evaluation = api.load(run, **subject.loading).evaluate(data, observer=observer, **reading)
    deciding = evaluation.get("metrics", {}).get(evaluation.get("headline"))
    check_figures(evaluation, least, most)
    if screen.json:  # one object is printed, and what a gate stopped is an error
        check_demands(evaluation, least, most)
    screen.result(evaluation, *figures.evaluated(evaluation), bare="" if deciding is None else str(deciding))
    check_demands(evaluation, least, most)
    report = () if use_as else (("weitiao", "report", run),)
    screen.next(*report, ("weitiao", "predict", run, *subject.asked_again(data)))


@command(
    MAIN,
    N_("Predict with a run, or a pretrained model: texts on the command line, a file, or standard input with one text a line."),
    'weitiao predict runs/reviews "a lovely day" "never again"',
    "weitiao predict runs/reviews --file new.csv --out predictions.csv",
    'weitiao predict deepset/roberta-base-squad2 "Who wrote it?" --task question-answering --context "Ann wrote it."',
)
@verb(reading_settings, columns=N_("Further inputs: columns of --file, else values"))
def predict(
    screen: Screen,
    run: RunOrModel,
    texts: Texts = None,
    use_as: UseAs = None,
    file: File = None,
    out: Out = None,
    precision: Precision = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.cli import answers

    if file is not None and texts:
        raise UsageError(_("Give texts or --file, not both."))
    if file is None and out is not None:
        raise UsageError(_("{flags} says how a file is treated, so it needs --file.").format(flags="--out"))
    subject = subject_of(run, use_as, settings, precision=precision, trust_task=trust_task)
    if file is not None:
        return answers.predict_file(screen, subject, file, out)
    # A whole record may stand in the flags: --question "..." --context "..."
    by_flag = not texts and subject.asks_more and subject.task.inputs[0].flag in subject.columns
    given = subject.values(first=by_flag)
    if by_flag:
        return answers.predict_texts(screen, subject, [given.pop(subject.task.inputs[0].name)], given)
    if not texts and sys.stdin.isatty():
        raise UsageError(_("There is nothing to predict. Give a text: {command}").format(command=subject.asked_by("predict")))
    return answers.predict_texts(screen, subject, texts or standard_input.lines(), given)


@command(
    MAIN,
    N_("Write a finished run in another form, with proof that it answers the same."),
    "weitiao export runs/reviews --to onnx --out exports/reviews",
    "weitiao export runs/reviews --to merged --out exports/merged",
    "weitiao export runs/reviews --to docker --out containers/reviews",
)
@verb(lambda: ("offline", "trust_remote_code"))
def export(
    screen: Screen,
    run: Run,
    to: To,
    out: ExportTo,
    overwrite: Overwrite = False,
    allow_lossy: AllowLossy = False,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.cli.progress import LOADING, working
    from weitiao.cli.tables import exported

    with working(screen, first=_(LOADING)) as (_api, observer):
        from weitiao.deploy.export import export as write

        ways = {**typed(settings), "overwrite": overwrite, "allow_lossy": allow_lossy, "trust_task": trust_task}
        made = write(run, to, out, observer=observer, **ways)
    screen.result(made, exported(made), bare=out)
    if to == forms.CONTAINER:
        return screen.next(("docker", "compose", "--project-directory", out, "up", "--build"), ("weitiao", "serve", f"{out}/run"))
    return screen.next(("weitiao", "predict", out, *question(out, trust_task=trust_task)))


@command(
    MAIN,
    N_("Talk with a model that writes, in the terminal: a run, or a pretrained model. Ctrl-D or /exit ends it."),
    "weitiao chat runs/assistant",
    'weitiao chat Qwen/Qwen2.5-0.5B-Instruct --system "Answer in one sentence." --temperature 0.7',
    'echo "What is fine-tuning?" | weitiao chat Qwen/Qwen2.5-0.5B-Instruct',
)
@verb(lambda: ("max_length", "revision", "offline", "trust_remote_code"))
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


@command(
    MAIN,
    N_("Serve runs, or a pretrained model, over HTTP; for vectors and chat also at the addresses that OpenAI's clients know."),
    "weitiao serve runs/reviews",
    "weitiao serve tone=runs/tone topic=runs/topic --port 9000 --workers 2",
    "weitiao serve offline --task feature-extraction --host 0.0.0.0 --api-key-env SERVICE_KEY",
)
@verb(answering_settings)
def serve(
    screen: Screen,
    runs: Served,
    use_as: UseAs = None,
    host: Host = None,
    port: Port = None,
    api_key_env: ApiKeyEnv = None,
    workers: Workers = None,
    queue: Queue = None,
    timeout: Timeout = None,
    max_body: MaxBody = None,
    log_texts: LogTexts = False,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.cli import serving

    said = {"host": host, "port": port, "api_key_env": api_key_env, "workers": workers, "queue": queue, "timeout": timeout}
    said |= {"max_body": max_body, "log_texts": log_texts or None}
    server = ServerSettings.of({name: value for name, value in said.items() if value is not None})
    serving.serve(screen, runs, use_as, server, settings, trust_task=trust_task)


@command(
    MAIN,
    N_("Show a run, an export or a pretrained model as a page in the browser: ask it, answer a whole file, see how an answer comes about."),
    "weitiao demo runs/reviews",
    "weitiao demo exports/reviews --port 9000",
    "weitiao demo offline --task feature-extraction",
)
@verb(answering_settings)
def demo(
    screen: Screen,
    run: RunOrModel,
    use_as: UseAs = None,
    host: PageHost = None,
    port: PagePort = None,
    share: Share = False,
    precision: Precision = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    from weitiao.cli import demonstration

    said = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    server = ServerSettings.of({"port": DEMO_PORT, **said})
    subject = subject_of(run, use_as, settings, precision=precision, trust_task=trust_task)
    demonstration.demo(screen, subject, server.host, server.port, share=share)


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
        raise UsageError(_("Say which data: {command} reviews.csv").format(command=screen.command))
    return source, values


def _save_config(screen: Screen, path: str, recipe: Recipe) -> None:
    import yaml

    from weitiao.runs import write_text

    write_text(Path(path), yaml.safe_dump(recipe.flat(), sort_keys=False, allow_unicode=True))
    screen.note(_("The settings are in {path}.").format(path=path))
