"""Each package that a command may lack is installed by the extra that is named."""

import ast
import sys
import tomllib
from pathlib import Path

from emotone.cli.extras import EXTRAS, installation

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = {  # where they are not called as the package
    "sklearn": "scikit_learn",
    "yaml": "pyyaml",
    "multipart": "python_multipart",
    "mlflow": "mlflow_skinny",
    "starlette": "fastapi",
}


def named(requirement: str) -> str:
    """The package of a requirement, as it is imported if nothing else is known."""
    return requirement.partition(">")[0].replace("-", "_")


def test_the_extra_that_is_named_has_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra, packages in EXTRAS.items():
        installed = {named(one) for one in project["optional-dependencies"][extra]}
        for package in packages:
            assert DISTRIBUTIONS.get(package, package) in installed
            assert installation(package) == f"pip install 'emotone[{extra}]'"


def test_every_package_that_is_imported_is_known() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = {named(one) for one in project["dependencies"]}
    imported: set[str] = set()
    for path in (ROOT / "src" / "emotone").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"emotone"}
    assert foreign > {"torch", "uvicorn", "matplotlib"}
    unknown = {name for name in foreign - base if "[" not in installation(name)}
    assert not unknown
