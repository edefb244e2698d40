"""Publishing a folder to a hub, against a stand-in on 127.0.0.1: what arrives, what is refused, what is retried, and who sees the token."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.engine.hub_stand_in import Ear, HubStandIn, Repository, closed_port, hub_stand_in, safetensors_bytes, write
from tests.engine.hub_uploads import TOKEN, Fault
from weitiao.deploy.publishing import upload as uploading
from weitiao.deploy.publishing.upload import upload
from weitiao.errors import ModelError, NetworkError, RunError, UsageError, WeitiaoError

pytestmark = pytest.mark.usefixtures("ann")
CARD = b"---\ntags:\n- weitiao\nlicense: apache-2.0\n---\n# A model\n"
SPACE = b"---\nsdk: static\ntags:\n- weitiao\n---\n# A page\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder to publish: a card, a small file, a large one, one that is empty and one in a folder."""
    files = {
        "README.md": CARD,
        "config.json": b"{}",
        "empty.txt": b"",
        "task/my_task.py": b"x = 1\n",
        "model.safetensors": safetensors_bytes([float(i) for i in range(5000)]),
        ".git/config": b"[remote]",
        "task/__pycache__/my_task.pyc": b"0",
    }
    return write(tmp_path / "made", files)


def push(folder: Path, hub: HubStandIn, repo: str = "ann/tweets", **settings: Any) -> str:
    return upload(folder, repo, **{"kind": "model", "endpoint": hub.url, **settings})


def test_a_folder_becomes_a_repository_in_one_commit(hub: HubStandIn, model: Path) -> None:
    ear = Ear()
    assert push(model, hub, message="First", observer=ear) == f"{hub.url}/ann/tweets"
    there = hub.repositories["ann/tweets"]
    assert there.files.pop(".gitattributes")
    assert there.files == {
        name: (model / name).read_bytes() for name in ("README.md", "config.json", "empty.txt", "task/my_task.py", "model.safetensors")
    }
    assert [summary for _commit, summary in there.history] == ["First"] and not there.private
    assert list(hub.uploads.objects) == [hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()]
    assert ear.bytes[-1] == (ear.bytes[-1][1], sum(len(content) for content in there.files.values()))
    assert "5 files" in ear.notes[0] and not any("xet" in request for request in hub.requests)


def test_again_only_what_has_changed_is_sent_and_what_is_gone_goes(hub: HubStandIn, model: Path) -> None:
    push(model, hub)
    (model / "config.json").write_bytes(b'{"a": 1}')
    (model / "empty.txt").unlink()
    asked, ear = len(hub.requests), Ear()
    push(model, hub, observer=ear)
    there = hub.repositories["ann/tweets"]
    assert there.files["config.json"] == b'{"a": 1}' and "empty.txt" not in there.files and ".gitattributes" in there.files
    assert not any("PUT" in request for request in hub.requests[asked:]) and len(there.history) == 2
    assert any("empty.txt" in note for note in ear.notes)
    push(model, hub)  # with nothing new: no commit
    assert len(there.history) == 2


def test_a_space_is_made_as_asked(hub: HubStandIn, tmp_path: Path) -> None:
    page = write(tmp_path / "page", {"README.md": SPACE, "index.html": b"<p>hello</p>"})
    assert push(page, hub, kind="space", sdk="static", private=True) == f"{hub.url}/spaces/ann/tweets"
    there = hub.repositories["spaces/ann/tweets"]
    assert there.sdk == "static" and there.private and there.files["index.html"] == b"<p>hello</p>"
    push(page, hub, kind="space", sdk="static", hardware="t4-small")  # of one that is there, the hardware is asked for
    assert there.hardware == "t4-small"
    push(page, hub, "lab/tweets", kind="space", sdk="gradio", hardware="cpu-upgrade")
    assert hub.repositories["spaces/lab/tweets"].hardware == "cpu-upgrade"


def test_a_mirror_for_downloads_is_never_asked_and_never_sees_the_token(
    hub: HubStandIn, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with hub_stand_in() as mirror:
        monkeypatch.setenv("HF_ENDPOINT", mirror.url)
        monkeypatch.setattr(constants, "ENDPOINT", mirror.url)  # as huggingface_hub has it when it starts under that variable
        push(model, hub)
        push(model, hub)
        with pytest.raises(NetworkError):
            push(model, hub, "somebody/else")
        assert mirror.requests == [] and mirror.url == constants.ENDPOINT
    assert any(f"Bearer {TOKEN}" in headers.values() for headers in hub.headers)


def test_without_an_endpoint_it_is_the_official_hub_whatever_the_mirror(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def look(self: Any) -> None:
        asked.append(self._api.endpoint)
        raise NetworkError("stop here")

    monkeypatch.setattr(uploading._Conversation, "look", look)
    monkeypatch.setenv("HF_ENDPOINT", "https://hf-mirror.com")
    with pytest.raises(NetworkError, match="stop here"):
        upload(model, "ann/tweets", kind="model")
    assert asked == ["https://huggingface.co"]


def test_a_login_that_runs_out_is_not_renewed_at_a_mirror(model: Path, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "https://hf-mirror.com")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: TOKEN if constants.ENDPOINT == "https://huggingface.co" else None)
    monkeypatch.delenv("HF_TOKEN")
    push(model, hub)


def test_the_token_is_printed_nowhere_and_written_nowhere(
    hub: HubStandIn, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], pauses: list[float]
) -> None:
    hub.uploads.faults = [Fault("POST", "repos/create", 403, said=f"the token {TOKEN} may not")]
    with pytest.raises(NetworkError) as refused:
        push(model, hub)
    assert TOKEN not in str(refused.value) and "***" in str(refused.value)
    push(model, hub)
    printed = "".join(capfd.readouterr())
    assert TOKEN not in printed
    assert not any(TOKEN.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_folder_that_holds_the_token_is_not_published(hub: HubStandIn, model: Path) -> None:
    (model / "notes.txt").write_bytes(b"x" * (2**20 - 5) + TOKEN.encode() + b"y")  # across the border of two pieces
    with pytest.raises(UsageError, match=r"notes\.txt.*holds your token"):
        push(model, hub)
    assert hub.requests == []


def test_a_link_that_leads_out_and_an_empty_folder_are_refused(hub: HubStandIn, model: Path, tmp_path: Path) -> None:
    secret = write(tmp_path / "elsewhere", {"secret": b"s"}) / "secret"
    (model / "innocent.txt").symlink_to(secret)
    with pytest.raises(UsageError, match="leads out"):
        push(model, hub)
    with pytest.raises(UsageError, match="nothing to publish"):
        push(tmp_path / "nowhere", hub)
    assert hub.requests == []


@pytest.mark.parametrize(
    "repo", ["tweets", "a/b/c", "ann/", "/x", "ann/twe ets", "ann/中文", "ann/a--b", "ann/../x", "-a/b", "ann/x.git", "a/" + "b" * 99]
)
def test_an_impossible_name_is_refused_before_any_network(hub: HubStandIn, model: Path, repo: str) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME"):
        push(model, hub, repo)
    assert hub.requests == []


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://x", "https://", "http://hub.example"])
def test_an_endpoint_that_is_none_or_would_show_the_token_is_refused(model: Path, endpoint: str) -> None:
    with pytest.raises(UsageError, match="https://"):
        upload(model, "ann/tweets", kind="model", endpoint=endpoint)


def test_offline_is_refused(hub: HubStandIn, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--offline"):
        push(model, hub, offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE"):
        push(model, hub)
    assert hub.requests == []


def test_no_token_says_what_to_type(hub: HubStandIn, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UsageError, match="hf auth login"):
        push(model, hub)
    assert hub.requests == []


def test_the_hubs_own_login_is_taken(hub: HubStandIn, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    write(Path(constants.HF_TOKEN_PATH).parent, {"token": TOKEN.encode()})
    push(model, hub)
    assert "ann/tweets" in hub.repositories


def test_a_refused_token_says_where_to_make_one(hub: HubStandIn, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    with pytest.raises(NetworkError, match=r"refuses the token.*settings/tokens.*hf auth login"):
        push(model, hub)
    assert hub.repositories == {}


def test_another_owner_is_refused_by_name(hub: HubStandIn, model: Path) -> None:
    with pytest.raises(NetworkError, match=r'write to bob/tweets.*namespace.*"bob"'):
        push(model, hub, "bob/tweets")


def test_a_name_that_is_taken_is_left_alone_unless_it_may_be_replaced(hub: HubStandIn, model: Path) -> None:
    hub.repositories["ann/tweets"] = Repository({"README.md": b"# by hand", "weights.bin": b"1"})
    with pytest.raises(RunError, match=r"not made by weitiao.*--overwrite"):
        push(model, hub)
    assert hub.repositories["ann/tweets"].files["weights.bin"] == b"1"
    push(model, hub, overwrite=True)
    assert "weights.bin" not in hub.repositories["ann/tweets"].files


def test_a_readme_by_hand_is_left_alone(hub: HubStandIn, model: Path) -> None:
    hub.repositories["ann/tweets"] = Repository({"README.md": b"---\nlicense: mit\n---\n# Kept by hand\n"})
    with pytest.raises(RunError, match=r"not made by weitiao.*--overwrite"):
        push(model, hub)
    assert set(hub.repositories["ann/tweets"].files) == {"README.md"}


def test_a_name_that_is_taken_where_nobody_can_see_it(hub: HubStandIn, model: Path) -> None:
    hub.uploads.faults = [Fault("POST", "repos/create", 409, said="You already created this model repo")]
    with pytest.raises(RunError, match="taken"):
        push(model, hub)


def test_private_is_never_published_for_everybody(hub: HubStandIn, model: Path) -> None:
    push(model, hub)
    with pytest.raises(UsageError, match="everybody can see it"):
        push(model, hub, private=True)
    push(model, hub, "ann/secret", private=True)
    assert hub.repositories["ann/secret"].private
    push(model, hub, "ann/secret", private=True)


@pytest.mark.parametrize(("sdk", "words"), [("gradio", "--sdk static"), ("docker", "--sdk static"), ("static", "unless it is private")])
def test_a_space_that_wants_a_paid_plan(hub: HubStandIn, tmp_path: Path, sdk: str, words: str) -> None:
    page = write(tmp_path / "page", {"README.md": SPACE.replace(b"static", sdk.encode())})
    hub.uploads.pays = False
    if sdk == "static":
        hub.uploads.faults = [Fault("POST", "repos/create", 402, said="pay")]
    with pytest.raises(UsageError, match="402") as refused:
        push(page, hub, kind="space", sdk=sdk)
    assert words in str(refused.value) and hub.repositories == {}
    assert ("--sdk static" in str(refused.value)) == (sdk != "static")


def test_a_network_that_drops_half_way_is_tried_again(hub: HubStandIn, model: Path, pauses: list[float]) -> None:
    hub.uploads.faults = [
        Fault("GET", "api/models", breaks="half-way"),
        Fault("POST", "repos/create", breaks="half-way"),
        Fault("POST", "preupload", breaks="half-way"),
        Fault("PUT", "lfs/", breaks="half-way", times=2),
        Fault("POST", "/commit/", breaks="half-way", times=2),
    ]
    push(model, hub)
    there = hub.repositories["ann/tweets"]
    assert there.files["model.safetensors"] == (model / "model.safetensors").read_bytes() and len(there.history) == 1
    assert all(fault.times == 0 for fault in hub.uploads.faults) and len(pauses) >= 7 and min(pauses) > 0


@pytest.mark.parametrize("where", [("PUT", "lfs/"), ("POST", "/commit/")])
def test_a_network_that_stays_away_publishes_nothing_and_claims_nothing(
    hub: HubStandIn, model: Path, pauses: list[float], where: tuple[str, str]
) -> None:
    hub.uploads.faults = [Fault(*where, breaks="half-way", times=99)]
    with pytest.raises(NetworkError, match=r"not published.*Nothing was published.*was made, and is empty"):
        push(model, hub)
    assert list(hub.repositories["ann/tweets"].files) == [".gitattributes"]
    hub.uploads.faults = []
    push(model, hub)  # the empty one is ours to fill
    hub.uploads.faults = [Fault("POST", "/commit/", breaks="half-way", times=99)]
    (model / "config.json").write_bytes(b'{"b": 2}')
    with pytest.raises(NetworkError, match="is as it was"):
        push(model, hub)
    assert hub.repositories["ann/tweets"].files["config.json"] == b"{}"


def test_an_answer_that_is_lost_publishes_once(hub: HubStandIn, model: Path, pauses: list[float]) -> None:
    hub.uploads.faults = [Fault("POST", "/commit/", breaks="afterwards"), Fault("POST", "repos/create", breaks="afterwards")]
    push(model, hub)
    assert len(hub.repositories["ann/tweets"].history) == 1


def test_where_nobody_knows_it_is_said(hub: HubStandIn, model: Path, pauses: list[float]) -> None:
    push(model, hub)
    (model / "config.json").write_bytes(b'{"c": 3}')
    hub.uploads.faults = [Fault("POST", "/commit/", breaks="afterwards"), Fault("GET", "api/models", status=503, times=0)]
    real = uploading._Conversation.look
    looks: list[int] = []

    def look(self: Any) -> Any:
        looks.append(1)
        if len(looks) == 2:
            hub.uploads.faults[1].times = 99
        return real(self)

    uploading._Conversation.look = look  # type: ignore[method-assign]
    try:
        with pytest.raises(NetworkError, match="whether it was is not known"):
            push(model, hub)
    finally:
        uploading._Conversation.look = real  # type: ignore[method-assign]


def test_what_somebody_else_has_changed_is_not_written_over(hub: HubStandIn, model: Path) -> None:
    push(model, hub)
    (model / "config.json").write_bytes(b'{"d": 4}')
    hub.uploads.faults = [Fault("POST", "/commit/", 412, said="A commit has happened since")]
    with pytest.raises(RunError, match="Somebody else"):
        push(model, hub)


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_hub_that_is_busy_is_asked_again_when_it_says(hub: HubStandIn, model: Path, pauses: list[float], status: int) -> None:
    hub.uploads.faults = [Fault("POST", part, status, {"Retry-After": "7"}) for part in ("repos/create", "/commit/", "preupload")]
    push(model, hub)
    assert sum(7 <= pause <= 8 for pause in pauses) == 3


def test_a_hub_that_stays_busy_says_how_long(hub: HubStandIn, model: Path, pauses: list[float]) -> None:
    hub.uploads.faults = [Fault("POST", "repos/create", 429, {"Retry-After": "3600"})]
    with pytest.raises(NetworkError, match=r"429.*3600 seconds"):
        push(model, hub)
    hub.uploads.faults = [Fault("POST", "repos/create", 503, times=99)]
    with pytest.raises(NetworkError, match="503"):
        push(model, hub)
    assert hub.repositories == {} and len(pauses) == 3


def test_a_card_that_the_hub_refuses(hub: HubStandIn, model: Path) -> None:
    (model / "README.md").write_bytes(b"---\ntags:\n- weitiao\nshort_description: " + b"x" * 61 + b"\n---\n")
    with pytest.raises(ModelError, match=r"short_description.*Nothing was published"):
        push(model, hub)


def test_files_that_a_gitignore_leaves_out_are_missed(hub: HubStandIn, model: Path) -> None:
    hub.uploads.ignored = ("config.json",)
    with pytest.raises(NetworkError, match=r"does not hold all.*config\.json"):
        push(model, hub)


def test_nobody_listens(model: Path, pauses: list[float]) -> None:
    with pytest.raises(WeitiaoError, match="connection refused") as refused:
        upload(model, "ann/tweets", kind="model", endpoint=closed_port())
    assert refused.value.exit_code == 5
