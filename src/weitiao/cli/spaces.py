"""The verb that makes pages to publish: parse, call ``deploy.space``, print."""

from pathlib import Path
from typing import Annotated, Any

from typer import Option

from weitiao.cli.application import MAIN, command
from weitiao.cli.options import verb
from weitiao.cli.parameters import Run, TrustTask
from weitiao.cli.screen import Screen
from weitiao.cli.subject import typed
from weitiao.messages import N_, _

SDKS, HUBS = ("static", "gradio", "docker"), ("huggingface", "modelscope")  # as on the help page; a test holds them to the table
CIS = ("github",)
EXAMPLES = ("rows", "task")
PAGE, HUB = N_("The page"), N_("The hub")


def _completing(choices: tuple[str, ...]) -> Any:
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


SDK_HELP = N_(
    "What it is: static, a page whose model runs in the visitor's browser; gradio, the page of weitiao demo; docker, the HTTP service. "
    "Without it: static where the task can, else gradio."
)
Sdk = Annotated[
    str, Option("--sdk", metavar="|".join(SDKS), help=SDK_HELP, autocompletion=_completing(SDKS), rich_help_panel=PAGE, show_default=False)
]
Target = Annotated[
    str,
    Option(
        "--target",
        metavar="|".join(HUBS),
        help=N_("The hub that it is written for; a ModelScope studio is a gradio page."),
        autocompletion=_completing(HUBS),
        rich_help_panel=PAGE,
    ),
]
ZeroGpu = Annotated[
    bool,
    Option(
        "--zero-gpu",
        help=N_("For a graphics card that Hugging Face lends while it answers; for models with PyTorch."),
        rich_help_panel=PAGE,
    ),
]
Title = Annotated[str, Option("--title", metavar="<text>", help=N_("What the page is called (the run's name)."), rich_help_panel=PAGE)]
Examples = Annotated[
    str,
    Option(
        "--examples",
        metavar="|".join(EXAMPLES),
        help=N_(
            "What can be asked with one click: rows that the run was tested on, which anybody then sees, or the task's own example "
            "(as in the Space that it replaces, else rows)."
        ),
        autocompletion=_completing(EXAMPLES),
        rich_help_panel=PAGE,
        show_default=False,
    ),
]
SpaceFolder = Annotated[
    str | None,
    Option("--out", "-o", metavar="<folder>", help=N_("The folder to write (spaces/ and the run's name)."), rich_help_panel=PAGE),
]
Overwrite = Annotated[bool, Option("--overwrite", help=N_("Replace the Space that stands there."), rich_help_panel=PAGE)]
Try = Annotated[
    bool,
    Option(
        "--try",
        help=N_("Start it in an environment of its own, as the hub would, and compare its answers with the run's; --push always does."),
        rich_help_panel=PAGE,
    ),
]
Push = Annotated[str, Option("--push", metavar="OWNER/NAME", help=N_("Publish it there, once it has been tried out."), rich_help_panel=HUB)]
Private = Annotated[bool, Option("--private", help=N_("Nobody else may see it."), rich_help_panel=HUB)]
Hardware = Annotated[str, Option("--hardware", metavar="<name>", help=N_("What it runs on, such as cpu-upgrade."), rich_help_panel=HUB)]
Endpoint = Annotated[
    str,
    Option("--endpoint", metavar="<url>", help=N_("Another hub's address; a mirror for downloads is never used."), rich_help_panel=HUB),
]

WORKFLOW = N_("A workflow that publishes by itself")
Ci = Annotated[
    str,
    Option(
        "--ci",
        metavar="<host>",
        help=N_(
            "github: write a workflow into the repository (--out, or here) that checks, trains, measures and publishes on a push to main."
        ),
        autocompletion=_completing(CIS),
        rich_help_panel=WORKFLOW,
    ),
]
CiData = Annotated[
    str | None,
    Option("--data", metavar="<file>", help=N_("What it trains on: a file there, or hub:NAME."), rich_help_panel=WORKFLOW),
]
CiTest = Annotated[
    str | None,
    Option(
        "--test", metavar="<file>", help=N_("Labelled rows that the gate decides by (the run's own test file)."), rich_help_panel=WORKFLOW
    ),
]
CiGate = Annotated[
    list[str] | None,
    Option(
        "--gate",
        metavar="<figure>",
        help=N_("What must be reached, or nothing is published, as in accuracy=0.8. Can be repeated."),
        rich_help_panel=WORKFLOW,
    ),
]


@command(
    MAIN,
    N_("Write a run as a page for a hub (a Space): everything that it needs is in the folder. With --push it is tried out and published."),
    "weitiao space runs/reviews",
    "weitiao space runs/reviews --examples task --push ann/reviews",
    "weitiao space runs/reviews --ci github --data train.csv --test test.csv --gate accuracy=0.8 --push ann/reviews",
)
@verb(lambda: ("offline",))
def space(
    screen: Screen,
    run: Run,
    sdk: Sdk = "",
    target: Target = HUBS[0],
    zero_gpu: ZeroGpu = False,
    title: Title = "",
    examples: Examples = "",
    out: SpaceFolder = None,
    overwrite: Overwrite = False,
    try_out: Try = False,
    push: Push = "",
    private: Private = False,
    hardware: Hardware = "",
    endpoint: Endpoint = "",
    ci: Ci = "",
    data: CiData = None,
    test: CiTest = None,
    gate: CiGate = None,
    trust_task: TrustTask = False,
    **settings: Any,
) -> None:
    if ci or data or test or gate:
        from weitiao.cli.publishing import workflow

        stray = {f"--target {target}": target != HUBS[0], "--try": try_out, "--offline": bool(typed(settings).get("offline"))}
        asked: dict[str, Any] = {"sdk": sdk, "zero_gpu": zero_gpu, "title": title, "private": private, "hardware": hardware}
        asked["examples"] = examples
        asked |= {"endpoint": endpoint, "overwrite": overwrite, "trust_task": trust_task, "test": test or "", "gate": gate or ()}
        workflow(screen, run, ci, out, data=data, push=push, refused=[flag for flag, given in stray.items() if given], **asked)
        return
    from weitiao.cli.progress import LOADING, working
    from weitiao.cli.tables import pairs, space_of

    place = out if out is not None else str(Path("spaces") / (Path(run).absolute().name or "space"))
    with working(screen, first=_(LOADING)) as (_api, observer):
        from weitiao.deploy.space.sending import Sending, publish_space

        ways: dict[str, Any] = {**typed(settings), "sdk": sdk, "target": target, "zero_gpu": zero_gpu, "title": title}
        ways |= {"examples": examples, "overwrite": overwrite, "trust_task": trust_task, "tried": try_out}
        made = publish_space(
            run, place, sending=Sending(push, private, hardware, endpoint, bool(ways.get("offline"))), observer=observer, **ways
        )
    screen.result(made, pairs(space_of(made)), bare=made.get("address") or place)
    again = ("weitiao", "space", run, "--sdk", made["sdk"], *(("--title", title) if title else ()), *(("--zero-gpu",) if zero_gpu else ()))
    again += ("--examples", made["examples_of"]) if made["examples_of"] != EXAMPLES[0] else ()
    again += (*(("--trust-task",) if trust_task else ()), "--out", place, "--overwrite")
    publish = () if push or target != HUBS[0] else ((*again, "--push", "OWNER/NAME"),)
    screen.next(*publish, ("weitiao", "demo", run, *(("--trust-task",) if trust_task else ())))
