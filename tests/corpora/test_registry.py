import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from emotone.corpora import registry
from emotone.corpora.table import TableOptions

OPTIONS = '''"""TOY, a corpus for tests.

Licence: none
Language: any
Speakers: any
Utterances: any
Emotions: any
Layout: any
"""

from typing import Literal
from emotone.corpora.base import CorpusOptions
from emotone.corpora.table import TableOptions

class ToyOptions(CorpusOptions):
    name: Literal["toy"] = "toy"
'''
READ = """
import pandas as pd
from emotone.corpora.base import Corpus

def read(options):
    return Corpus(options.name, pd.DataFrame())
"""

Make = Callable[..., ModuleType]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Write a package of the given modules and import it."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "toy_corpora"
    folder.mkdir()
    (folder / "__init__.py").touch()

    def make(**modules: str) -> ModuleType:
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return importlib.import_module(folder.name)

    yield make
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def test_a_module_with_options_and_read_is_a_reader(make: Make) -> None:
    helper = "from emotone.corpora.table import TableOptions"  # imported, not defined
    found = registry.find(make(toy=OPTIONS + READ, helper=helper))
    assert list(found) == ["toy"]
    options = found["toy"].options(name="toy")
    assert type(options).__name__ == "ToyOptions"
    assert not isinstance(options, TableOptions)
    assert found["toy"].read(options).name == "toy"
    assert found["toy"].parse is None
    assert found["toy"].info.title == "TOY, a corpus for tests"


def test_a_reader_may_parse_file_names(make: Make) -> None:
    parse = "def parse(stem):\n    return {'speaker': stem[:2]}\n"
    found = registry.find(make(toy=OPTIONS + READ + parse))
    assert found["toy"].parse is not None
    assert found["toy"].parse("03a01Fa") == {"speaker": "03"}


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"toy": OPTIONS}, r"toy_corpora\.toy: define read\(options\)"),
        (
            {"toy": OPTIONS.replace('name: Literal["toy"] = "toy"', "speaker: int = 1") + READ},
            r"toy_corpora\.toy: give options the field name: Literal",
        ),
        (
            {"toy": OPTIONS + READ, "toy_again": OPTIONS + READ},
            r"toy_corpora\.toy_again: another reader has the name 'toy'",
        ),
    ],
)
def test_half_a_reader_is_an_error(make: Make, modules: dict[str, str], message: str) -> None:
    package = make(**modules)
    with pytest.raises(TypeError, match=message):
        registry.find(package)
