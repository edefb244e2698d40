"""What to type against what is wrong: pip, conda and the public mirrors of both, word for word. Knows no machine."""

PIP_MIRROR = "https://pypi.tuna.tsinghua.edu.cn/simple"
TORCH_INDEX, TORCH_MIRROR = "https://download.pytorch.org/whl", "https://mirrors.nju.edu.cn/pytorch/whl"
CONDA_MIRROR = "https://mirrors.tuna.tsinghua.edu.cn/anaconda/cloud/conda-forge"
# Builds of PyTorch by the CUDA they carry, newest first, with the driver's CUDA that each asks for. Within a major version an older
# driver runs a newer CUDA, so the oldest build of 12 serves every driver of 12.
BUILDS = ((13, "cu130"), (12, "cu126"))


def build_for(driver_cuda: str | None) -> str:
    """The PyTorch build that a driver runs; "cpu" where there is no driver, or one that no current build fits.

    >>> build_for("13.1"), build_for("12.2"), build_for("11.4"), build_for(None)
    ('cu130', 'cu126', 'cpu', 'cpu')
    """
    major = int(driver_cuda.split(".")[0]) if driver_cuda else 0
    return next((build for least, build in BUILDS if major >= least), "cpu")


def extra(name: str) -> list[str]:
    """Install an extra of weitiao, from the index or its mirror."""
    return [f'pip install "weitiao[{name}]"', f'pip install -i {PIP_MIRROR} "weitiao[{name}]"']


def torch_build(build: str) -> list[str]:
    """Replace PyTorch by another build: with pip, from a mirror, with conda."""
    commands = ["pip uninstall -y torch", f"pip install torch --index-url {TORCH_INDEX}/{build}"]
    commands.append(f"pip install torch --index-url {TORCH_MIRROR}/{build}")
    if build != "cpu":
        commands.append("conda install -c conda-forge pytorch-gpu")
        commands.append(f"conda install --override-channels -c {CONDA_MIRROR} pytorch-gpu")
    return commands


def driver(system: str) -> list[str]:
    """Install or update the NVIDIA driver."""
    return ["https://www.nvidia.com/drivers"] if system == "Windows" else ["sudo ubuntu-drivers install", "https://www.nvidia.com/drivers"]


def export(name: str, value: str, system: str) -> str:
    """Set a variable in this shell.

    >>> export("HF_ENDPOINT", "https://hf-mirror.com", "Linux")
    'export HF_ENDPOINT=https://hf-mirror.com'
    """
    return f'$env:{name} = "{value}"' if system == "Windows" else f"export {name}={value}"


def unset(name: str, system: str) -> str:
    """Forget a variable in this shell."""
    return f"Remove-Item Env:{name}" if system == "Windows" else f"unset {name}"
