"""The layers of the design: a module may import only from layers above, as listed here."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import emotone

PACKAGE = Path(emotone.__file__).parent

LAYERS = [
    {"errors", "options"},
    {"cluster", "files", "onnx"},
    {"audio", "metrics", "parquet"},
    {"windows", "bundle"},
    {"recognizer"},
    {"jobs", "plot"},
    {"listing"},
    {"features", "acrnn", "parallel"},
    {"model"},
    {"export"},
    {"corpora"},
    {"folds", "augment", "download", "inspection"},
    {"datasets"},
    {"training", "functionals"},
    {"evaluation"},
    {"config"},
    {"runs", "rendering"},
    {"experiment"},
    {"ablation", "calibration", "card"},
    {"trainer"},
    {"adaptation"},
    {"report", "display"},
    {"serve"},
    {"cli"},
    {"__main__"},
]
WITHOUT_TORCH = [
    "errors",
    "options",
    "files",
    "audio",
    "windows",
    "bundle",
    "onnx",
    "recognizer",
    "jobs",
    "listing",
    "cli",
]


def layer_of(module: str) -> int:
    (number,) = [n for n, names in enumerate(LAYERS) if module in names]
    return number


def imports(path: Path) -> set[str]:
    """Modules of emotone that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts == ["emotone"]:
                found |= {alias.name for alias in node.names}
            elif parts[0] == "emotone":
                found.add(parts[1])
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("emotone.")
            }
    return {name for name in found if not name.startswith("__")}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_run_downward(path: Path) -> None:
    module = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if module == "__init__":
        assert imports(path) <= {"recognizer"}
        return
    for other in imports(path):
        if other != module:
            assert layer_of(other) < layer_of(module), f"{module} imports {other}"


def test_all_modules_have_a_layer() -> None:
    modules = {
        path.name.removesuffix(".py")
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert set.union(*LAYERS) == modules - {"__init__"}


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_base_and_core_import_without_torch(module: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import emotone.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)
