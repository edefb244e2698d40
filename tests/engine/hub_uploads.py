"""What the stand-in of a hub answers to whoever publishes: accounts, new repositories, Git LFS and commits, as huggingface_hub asks for
them; and the faults that a test can switch on.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.client import HTTPMessage
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import yaml

if TYPE_CHECKING:
    from .hub_stand_in import HubStandIn

LARGE = (".safetensors", ".bin", ".parquet", ".onnx")  # kept as Git LFS, with a sha256, as on the hub
TOKEN = "hf_of_ann_for_tests"
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


@dataclass
class Fault:
    """Something that goes wrong, ``times`` times, with requests whose path holds ``part``.

    Attributes:
        status, headers, said: what is answered instead.
        breaks: the connection breaks instead: when half of what is sent has come, or afterwards, when only the answer is lost.
    """

    command: str
    part: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    said: str = ""
    breaks: Literal["", "half-way", "afterwards"] = ""
    times: int = 1


@dataclass
class Answer:
    """What is answered, as JSON."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Uploads:
    """The side of a stand-in that takes things.

    Attributes:
        accounts: token -> the names that it may publish under, the account's own first.
        pays: whether the accounts have a paid plan.
        faults: what goes wrong.
        objects: what was sent as Git LFS, by its sha256.
        ignored: names that every repository's .gitignore leaves out.
    """

    accounts: dict[str, list[str]] = field(default_factory=lambda: {TOKEN: ["ann", "lab"]})
    pays: bool = True
    faults: list[Fault] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def fault(self, command: str, path: str) -> Fault | None:
        """The fault that strikes now, if any."""
        for fault in self.faults:
            if fault.times > 0 and fault.command == command and fault.part in path:
                fault.times -= 1
                return fault
        return None

    def strange(self, headers: dict[str, str]) -> bool:
        """Whether a token was shown that nobody has."""
        token = _token(headers)
        return bool(token) and token not in self.accounts

    def may_see(self, name: str, headers: dict[str, str]) -> bool:
        """Whether a private repository is the asker's."""
        return name.removeprefix("spaces/").split("/")[0] in self.accounts.get(_token(headers), [])

    def answer(self, hub: "HubStandIn", command: str, path: str, sent: bytes, headers: dict[str, str]) -> Answer:
        """Whatever is asked beside the reading of repositories."""
        if path.startswith("lfs/"):  # a store of its own, which knows no accounts
            assert "Authorization" not in headers and "authorization" not in headers, "a token went to the store"
            return self._store(path.removeprefix("lfs/"), sent)
        names = self.accounts.get(_token(headers))
        if names is None:
            return Answer(401, {"error": "Invalid username or password."})
        if path == "api/whoami-v2":
            return Answer(200, {"type": "user", "name": names[0], "orgs": [{"name": name} for name in names[1:]]})
        if path == "api/validate-yaml":
            return _validated(json.loads(sent))
        if path == "api/repos/create":
            return self._create(hub, json.loads(sent), names)
        for ending, act in (("/preupload/main", self._preupload), ("/commit/main", self._commit), ("/hardware", self._hardware)):
            if path.endswith(ending) and path.startswith("api/"):
                name = path.removesuffix(ending).removeprefix("api/").removeprefix("models/")
                return self._own(hub, name, names) or act(hub, name, sent)
        if path.endswith(".git/info/lfs/objects/batch"):
            name = path.removesuffix(".git/info/lfs/objects/batch")
            return self._own(hub, name, names) or self._batch(hub, json.loads(sent))
        return Answer(404, {"error": f"no such thing: {path}"})

    def _own(self, hub: "HubStandIn", name: str, names: list[str]) -> Answer | None:
        if name not in hub.repositories:
            return Answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        if name.removeprefix("spaces/").split("/")[0] not in names:
            return Answer(403, {"error": "You have read access but not the required permissions for this operation"})
        return None

    def _create(self, hub: "HubStandIn", asked: dict[str, Any], names: list[str]) -> Answer:
        from .hub_stand_in import Repository

        owner, space = asked.get("organization") or names[0], asked.get("type") == "space"
        name = f"{'spaces/' if space else ''}{owner}/{asked['name']}"
        if owner not in names:
            return Answer(403, {"error": f'You do not have the rights to create a repository under the namespace "{owner}"'})
        if space and asked["sdk"] != "static" and not self.pays:
            return Answer(402, {"error": "Subscribe to PRO to create Spaces that run on compute"})
        if name in hub.repositories:
            return Answer(409, {"error": "You already created this repo", "url": f"{hub.url}/{name}"})
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        kind = {"private": private, "sdk": asked.get("sdk") or "", "hardware": asked.get("hardware") or ""}
        hub.repositories[name] = Repository({".gitattributes": ATTRIBUTES}, {"main": _commit_id(name, b"")}, **kind)
        return Answer(200, {"url": f"{hub.url}/{name}", "name": name})

    def _preupload(self, hub: "HubStandIn", name: str, sent: bytes) -> Answer:
        held, told = hub.repositories[name].files, []
        for file in json.loads(sent)["files"]:
            path = file["path"]
            large = path.endswith(LARGE) or file["size"] > 10_000_000
            oid = (hashlib.sha256(held[path]).hexdigest() if large else git_id(held[path])) if path in held else None
            told.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": path in self.ignored, "oid": oid})
        return Answer(200, {"files": told})

    def _batch(self, hub: "HubStandIn", asked: dict[str, Any]) -> Answer:
        objects = []
        for one in asked["objects"]:
            there = one["oid"] in self.objects
            upload = {} if there else {"actions": {"upload": {"href": f"{hub.url}/lfs/{one['oid']}", "header": {}}}}
            objects.append({"oid": one["oid"], "size": one["size"], **upload})
        return Answer(200, {"transfer": "basic", "objects": objects})

    def _store(self, oid: str, sent: bytes) -> Answer:
        if hashlib.sha256(sent).hexdigest() != oid:
            return Answer(400, {"error": "the content is not what its name says"})
        self.objects[oid] = sent
        return Answer(200, {})

    def _commit(self, hub: "HubStandIn", name: str, sent: bytes) -> Answer:
        repository = hub.repositories[name]
        files, head = dict(repository.files), repository.commits["main"]
        lines = [json.loads(line) for line in sent.splitlines()]
        header = lines[0]["value"]
        if header.get("parentCommit", head) != head:
            return Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.objects:
                    return Answer(400, {"error": f"{value['path']} was never sent"})
                files[value["path"]] = self.objects[value["oid"]]
            elif files.pop(value["path"], None) is None:
                return Answer(404, {"error": "A file with this name doesn't exist"}, {"X-Error-Code": "EntryNotFound"})
        repository.files = files
        repository.commits["main"] = _commit_id(head, sent)
        repository.history.append((repository.commits["main"], header["summary"]))
        return Answer(200, {"commitUrl": f"{hub.url}/{name}/commit/main", "commitOid": repository.commits["main"]})

    def _hardware(self, hub: "HubStandIn", name: str, sent: bytes) -> Answer:
        if not self.pays:
            return Answer(402, {"error": "Payment required"})
        hub.repositories[name].hardware = json.loads(sent)["flavor"]
        return Answer(200, {"stage": "BUILDING", "hardware": {"requested": hub.repositories[name].hardware}})


def git_id(content: bytes) -> str:
    """A file's id in Git."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def tags_of(card: bytes) -> list[str]:
    """The tags in the head of a README.md."""
    return list(_head(card.decode()).get("tags") or [])


def unchunked(sent: BinaryIO, headers: HTTPMessage) -> bytes:
    """What is sent in pieces of a length of their own; nothing where the headers speak of no such."""
    whole = b""
    while "chunked" in (headers.get("Transfer-Encoding") or ""):
        length = int(sent.readline(), 16)
        whole += sent.read(length)
        sent.readline()
        if not length:
            break
    return whole


def _head(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---\n")[1]) or {} if card.startswith("---\n") else {}


def _validated(asked: dict[str, Any]) -> Answer:
    """The head of a README.md: YAML; a Space says what it is made with."""
    try:
        head, errors = _head(asked["content"]), []
    except yaml.YAMLError as error:
        return Answer(400, {"errors": [{"message": str(error)}], "warnings": []})
    if asked["repoType"] == "space" and head.get("sdk") not in ("static", "gradio", "docker"):
        errors.append({"message": '"sdk" must be one of static, gradio, docker'})
    if len(str(head.get("short_description", ""))) > 60:
        errors.append({"message": '"short_description" length must be less than or equal to 60 characters long'})
    return Answer(400 if errors else 200, {"errors": errors, "warnings": []})


def _token(headers: dict[str, str]) -> str:
    shown = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    return shown.removeprefix("Bearer ")


def _commit_id(*parts: str | bytes) -> str:
    return hashlib.sha1(b"\0".join(part if isinstance(part, bytes) else part.encode() for part in parts)).hexdigest()
