"""Templates, and how numbers are written in all that emotone renders."""

from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).parent / "templates"
TEX = {
    "−": "$-$", "+": "$+$", "–": "--", "<": "$<$",
    "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#",
}  # fmt: skip


def template(name: str) -> jinja2.Template:
    """Find a template by name; ``.html.`` in it escapes what is put in."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=".html." in name,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "percent": lambda share: "–" if share is None else f"{100 * share:.1f}",
        "rate": _rate,
        "points": points,
        "p": p_value,
        "count": lambda count: "–" if count is None else f"{count:,}",
        "millions": lambda count: "–" if count is None else f"{count / 1e6:.1f}",
        "minutes": lambda seconds: "–" if seconds is None else f"{seconds / 60:.1f}",
        "tex": lambda text: "".join(TEX.get(letter, letter) for letter in str(text)),
    }
    return environment.get_template(name)


def points(share: float) -> str:
    """Write a difference of two rates in percentage points, always with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def p_value(p: float) -> str:
    """Write a p-value with three digits; a randomisation test never gives none at all."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _rate(rate: dict[str, Any]) -> str:
    """A pooled rate in per cent, with its standard deviation if there are several seeds."""
    std = rate["seed_std"]
    return f"{100 * rate['pooled']:.1f}" + ("" if std is None else f" ± {100 * std:.1f}")


def protocol_name(protocol: dict[str, Any]) -> str:
    """Say in words what a protocol does."""
    if protocol["name"] == "kfold":
        return f"{protocol['folds']}-fold over speakers"
    if protocol["name"] == "fold_column":
        return f"predefined folds (column {protocol['column']})"
    return str(protocol["name"]).replace("_", " ")
