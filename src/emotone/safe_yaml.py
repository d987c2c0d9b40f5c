"""YAML of other people: bounded in size, depth and aliases; any mistake in it is one short line."""

from pathlib import Path
from typing import Any

import yaml

from emotone.errors import UsageError
from emotone.text import SHOWN, printable, shortened

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000  # what an alias stands for counts each time


def read(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        OSError: if it cannot be read.
        UsageError: if it is larger than 1 MB, not UTF-8 or not valid YAML, see :func:`parsed`.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than 1 MB, which no configuration is; check the path")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not valid YAML: {error}; save it again, in UTF-8") from error
    return parsed(text, f"{path}: not valid YAML")


def parsed(text: str, refusal: str) -> Any:
    """Read YAML.

    Raises:
        UsageError: begins with ``refusal``; if it is not valid, a key is given twice, a value is
            not what its tag says, or it is larger or nested deeper than any configuration.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{refusal}: {_short(error.problem or error.context)}{place}") from error
    except yaml.YAMLError as error:  # of the characters
        raise UsageError(f"{refusal}: {_short(str(error).splitlines()[0])}") from error


def _short(problem: str | None) -> str:
    return shortened(printable(" ".join((problem or "").split())), 2 * SHOWN)


class _Loader(yaml.SafeLoader):
    """YAML without dates, which no option is, and in which a key is given once."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (as the base class has it)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._nodes = 0
        self._sizes: dict[int, int] = {}  # nodes that a finished node stands for

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        before = self._nodes
        self._depth += 1
        self._check(self._depth <= MAX_DEPTH, f"nested deeper than {MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            self._check(id(node) in self._sizes, "an alias of what it is in", event)
            self._nodes += self._sizes[id(node)]
        else:
            self._nodes += 1
            self._sizes[id(node)] = self._nodes - before
        self._check(self._nodes <= MAX_NODES, f"its aliases stand for over {MAX_NODES} values",
                    event)  # fmt: skip
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        keys: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                twice = (key.tag, key.value) in keys
                self._check(not twice, f"'{shortened(key.value)}' is given twice", key)
                keys.add((key.tag, key.value))
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(
                problem=f"not a valid {kind}", problem_mark=node.start_mark
            ) from error
        is_long = isinstance(value, int) and abs(value) >= 1 << 64
        self._check(not is_long, "an integer of more than 64 bits", node)
        return value

    @staticmethod
    def _check(holds: bool, problem: str, place: Any) -> None:
        if not holds:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
