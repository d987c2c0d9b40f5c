"""Templates, and the formats of numbers in reports, cards and tables."""

from pathlib import Path

import jinja2

from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import DimensionScore, Rate

TEMPLATES = Path(__file__).parent / "templates"
KINDS = ("html", "md", "tex")  # of a report
TEX = {
    "−": "$-$", "+": "$+$", "–": "--", "<": "$<$",
    "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#",
}  # fmt: skip


def template(name: str) -> jinja2.Template:
    """Find a template by name; a name with ``.html.`` escapes inserted text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=".html." in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "percent": percent,
        "rate": rate,
        "interval": interval,
        "points": points,
        "difference": difference,
        "p": p_value,
        "ccc": ccc,
        "ccc_interval": ccc_interval,
        "decimal": decimal,
        "count": count,
        "millions": lambda number: "–" if number is None else f"{number / 1e6:.1f}",
        "minutes": lambda seconds: "–" if seconds is None else f"{seconds / 60:.1f}",
        "tex": lambda text: "".join(TEX.get(letter, letter) for letter in str(text)),
    }
    return environment.get_template(name)


def percent(share: float | None) -> str:
    """Write a share in per cent, without the sign.

    >>> percent(0.753), percent(None)
    ('75.3', '–')
    """
    return "–" if share is None else f"{100 * share:.1f}"


def rate(found: Rate) -> str:
    """Write a rate in per cent, with its standard deviation if there are several seeds."""
    return percent(found.mean) + ("" if found.std is None else f" ± {percent(found.std)}")


def interval(ends: tuple[float, float]) -> str:
    """Write an interval of rates in per cent.

    >>> interval((0.7071, 0.794))
    '70.7 … 79.4'
    """
    return " … ".join(percent(end) for end in ends)


def points(share: float) -> str:
    """Write a difference of two rates in percentage points, always with its sign.

    >>> points(-0.0123)
    '−1.2'
    """
    return f"{100 * share:+.1f}".replace("-", "−")


def difference(found: float, ends: tuple[float, float]) -> str:
    """Write a difference of two rates with its interval, in percentage points.

    >>> difference(0.05, (-0.01, 0.1))
    '+5.0 [−1.0, +10.0]'
    """
    return f"{points(found)} [{', '.join(points(end) for end in ends)}]"


def p_value(p: float) -> str:
    """Write a p-value with three digits; a randomisation test never gives exactly 0."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def decimal(value: float | None) -> str:
    """Write a correlation or an error on the scale 0 to 1.

    >>> decimal(-0.5), decimal(None)
    ('−0.500', 'undefined')
    """
    return "undefined" if value is None else f"{value:.3f}".replace("-", "−")


def ccc(score: DimensionScore) -> str:
    """Write a CCC, with its standard deviation if there are several seeds."""
    return decimal(score.ccc) + ("" if score.std is None else f" ± {decimal(score.std)}")


def ccc_interval(score: DimensionScore) -> str:
    """Write the interval of a CCC."""
    return "–" if score.interval_95 is None else " … ".join(map(decimal, score.interval_95))


def count(number: int | None) -> str:
    """Write a number with separated thousands.

    >>> count(269575)
    '269,575'
    """
    return "–" if number is None else f"{number:,}"


def protocol_name(protocol: ProtocolOptions) -> str:
    """Name a protocol.

    >>> protocol_name(ProtocolOptions(name="kfold", folds=6))
    '6-fold over speakers'
    """
    if protocol.nested:
        outer = protocol_name(protocol.model_copy(update={"nested": 0}))
        return f"{outer}, {protocol.nested} inner folds of the training speakers of each"
    if protocol.name == "kfold":
        return f"{protocol.folds}-fold over speakers"
    if protocol.name == "fold_column":
        return f"predefined folds (column {protocol.column})"
    if protocol.name == "cross_corpus":
        return "cross-corpus" if protocol.test_corpora else "leave-one-corpus-out"
    return protocol.name.replace("_", "-")
