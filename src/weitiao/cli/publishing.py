"""The verbs that publish: parse, call ``deploy.publishing``, print."""

from collections.abc import Sequence
from typing import Annotated, Any

from typer import Argument, Option

from weitiao.cli.application import MAIN, command
from weitiao.cli.options import verb
from weitiao.cli.parameters import Offline, Run
from weitiao.cli.screen import Screen
from weitiao.cli.subject import question
from weitiao.errors import UsageError
from weitiao.messages import N_, _
from weitiao.quantities import size

HUB = N_("The hub")
Repo = Annotated[str, Argument(metavar="OWNER/NAME", help=N_("The repository: your name on the hub, or an organisation's, and a name."))]
Private = Annotated[bool, Option("--private", help=N_("Only you see it."), rich_help_panel=HUB)]
Endpoint = Annotated[
    str | None,
    Option(
        "--endpoint",
        metavar="<address>",
        help=N_("Another hub than huggingface.co. HF_ENDPOINT, a mirror for downloads, is never sent a token."),
        rich_help_panel=HUB,
    ),
]
Message = Annotated[str | None, Option("--message", "-m", metavar="<text>", help=N_("What the commit says."), rich_help_panel=HUB)]
Replaced = Annotated[
    bool, Option("--overwrite", help=N_("Replace what a repository holds that weitiao did not make."), rich_help_panel=HUB)
]

Unsent = Annotated[
    str | None,
    Option(
        "--out",
        "-o",
        metavar="<folder>",
        help=N_("Send nothing: write what would be sent into this folder, to be looked at."),
        rich_help_panel=HUB,
    ),
]


@command(
    MAIN,
    N_("Publish a run's model on the hub, with its card: others train from it and predict with it by its name."),
    "weitiao push runs/reviews ann/reviews",
    "weitiao push exports/reviews ann/reviews-onnx --private",
    "weitiao push runs/reviews ann/reviews --out looked-at",
)
@verb()
def push(
    screen: Screen,
    run: Run,
    repo: Repo,
    private: Private = False,
    endpoint: Endpoint = None,
    message: Message = None,
    overwrite: Replaced = False,
    out: Unsent = None,
    offline: Offline = False,
) -> None:
    from weitiao.cli.progress import observer_for
    from weitiao.cli.tables import pairs
    from weitiao.deploy.publishing.pushed import push as publish

    with observer_for(screen) as observer:
        given: dict[str, Any] = {"private": private, "endpoint": endpoint or "", "message": message or "", "overwrite": overwrite}
        made = publish(run, repo, offline=offline, out=out or "", observer=observer, **given)
    files = _("{count} ({size})").format(count=len(made["files"]), size=size(made["bytes"]))
    if out:
        screen.result(made, pairs({_("nothing was sent; it lies in"): out, _("files"): files}), bare=out)
        where = (*(("--private",) if private else ()), *(("--endpoint", endpoint) if endpoint else ()))
        screen.next(("weitiao", "push", run, repo, *where))
        return
    screen.result(made, pairs({_("address"): made["address"], _("files"): files}), bare=made["address"])
    if not endpoint:
        training = () if made["adapter"] or "config.json" not in made["files"] else (("weitiao", "train", "DATA", "--model", repo),)
        screen.next(("weitiao", "predict", repo, *question(run)), *training)


def workflow(
    screen: Screen, run: str, ci: str, out: str | None, *, data: str | None, push: str, refused: Sequence[str] = (), **how: Any
) -> None:
    """``weitiao space --ci github``: write what publishes by itself; nothing is published now.

    Args:
        refused: flags that were given and mean nothing to a workflow.
    """
    if not ci:
        raise UsageError(_("{flags} is for a workflow, so it needs --ci github.").format(flags="--data, --test, --gate"))
    if ci != "github":
        raise UsageError(_('There is no --ci "{name}"; there is: github.').format(name=ci))
    if refused:
        message = _(
            "{flags} cannot be written into a workflow: it runs on a machine of GitHub's that has a network, always tries the page out, "
            "and publishes it on Hugging Face's hub. Leave it out."
        )
        raise UsageError(message.format(flags=_(", ").join(refused)))
    if not data or not push:
        missing = "--data train.csv" if not data else "--push OWNER/NAME"
        raise UsageError(_("A workflow must be told everything. Add {missing}").format(missing=missing))
    from weitiao.cli.tables import pairs
    from weitiao.deploy.space.workflow import write

    made = write(run, out or ".", data=data, push=push, **how)
    if made["why"]:
        screen.note(made["why"])
    if made["examples_of"] == "rows":
        screen.note(
            _("Rows that the run is tested on will be published, as the page's examples. Without them: --examples task --overwrite")
        )
    files = _(", ").join(made["files"][1:])
    screen.result(made, pairs({_("workflow"): made["workflow"], _("beside it"): files}), bare=made["workflow"])
    screen.note(_("Add the secret HF_TOKEN on GitHub (Settings, Secrets and variables), then commit these files and push."))
    # What an earlier workflow left is taken out of the repository as well.
    screen.next(("git", *(("-C", out) if out else ()), "add", "--all", ".github/workflows", ".github/weitiao"))
