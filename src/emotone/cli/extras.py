"""Which extra of emotone installs a package that a command needs."""

TRAIN = (
    "audb", "audformat", "audmetric", "jinja2", "lightning_fabric", "onnx",
    "onnxscript", "pandas", "pyarrow", "yaml", "safetensors", "sklearn", "scipy",
    "torch",
)  # fmt: skip
SERVE = (
    "fastapi", "fastapi_offline", "h11", "multipart", "prometheus_client", "python_multipart",
    "starlette", "uvicorn", "websockets",
)  # fmt: skip
EXTRAS = {
    "train": TRAIN,
    "serve": SERVE,
    "plot": ("matplotlib",),
    "cluster": ("ray",),
    "opensmile": ("opensmile",),
    "ssl": ("transformers",),
    "hub": ("huggingface_hub",),
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow",),
    "search": ("optuna",),
}


def installation(package: str) -> str:
    """Return the command that installs a package, by the name under which it is imported.

    >>> installation("uvicorn")
    "pip install 'emotone[serve]'"
    >>> installation("soundfile")
    'pip install --force-reinstall emotone'
    """
    for extra, packages in EXTRAS.items():
        if package.partition(".")[0] in packages:
            return f"pip install 'emotone[{extra}]'"
    return "pip install --force-reinstall emotone"
