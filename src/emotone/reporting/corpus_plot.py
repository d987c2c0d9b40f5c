"""The picture of a corpus: speakers × emotions, durations, levels."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from emotone.corpora.inspection import Inspection
from emotone.files import check_picture, save_picture
from emotone.options import SECONDS_PER_HOUR
from emotone.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LISTED_SPEAKERS = 40  # more do not fit on an axis


def draw_inspection(inspection: Inspection, path: Path, *, force: bool = False) -> None:
    """Draw speakers × emotions, durations and levels of a corpus.

    Args:
        inspection: measurements of the corpus.
        path: picture to write; its suffix chooses PNG, SVG or PDF.
        force: overwrite a file that emotone did not make.

    Raises:
        UsageError: if the suffix is not that of an image format, or emotone did not make the file
            that exists.
        StorageError: if the file cannot be written.
    """
    from matplotlib.figure import Figure  # slow to import, not always needed

    check_picture(path, force=force)
    table = inspection.utterances
    counts = pd.crosstab(table["speaker"], table["emotion"])
    height = max(3.2, 0.8 + 0.22 * len(counts))
    figure = Figure(figsize=(12, min(height, 14)), layout="constrained")
    speakers, durations, levels = figure.subplots(1, 3, width_ratios=(1.3, 1, 1))
    _draw_counts(figure, speakers, counts)
    durations.hist(table["seconds"].dropna(), bins=40, color="#1f5f99")
    durations.set(title="durations", xlabel="seconds", ylabel="utterances")
    _draw_levels(levels, table, inspection.corpus.labels)
    figure.suptitle(
        f"{inspection.corpus.name}: {plural(len(table), 'utterance')}, "
        f"{plural(len(counts), 'speaker')}, "
        f"{table['seconds'].sum() / SECONDS_PER_HOUR:.2f} hours"
    )
    save_picture(figure, path)


def _draw_counts(figure: Any, axes: "Axes", counts: pd.DataFrame) -> None:
    """Numbers of utterances; written into the cells if the speakers are few."""
    image = axes.imshow(counts.to_numpy(), aspect="auto", cmap="Blues", vmin=0)
    axes.set(title="utterances of each speaker", ylabel="speaker")
    axes.set_xticks(range(counts.shape[1]), counts.columns, rotation=45, ha="right")
    if len(counts) > LISTED_SPEAKERS:
        axes.set_yticks([])
        figure.colorbar(image, ax=axes, label="utterances")
        return
    axes.set_yticks(range(len(counts)), counts.index)
    for (row, column), count in np.ndenumerate(counts.to_numpy()):
        dark = count > 0.6 * counts.to_numpy().max()
        axes.text(column, row, count, ha="center", va="center", size=7,
                  color="white" if dark else "black")  # fmt: skip


def _draw_levels(axes: "Axes", table: pd.DataFrame, emotions: list[str]) -> None:
    levels = [table.loc[table["emotion"] == name, "level_dbfs"].dropna() for name in emotions]
    axes.boxplot(levels, tick_labels=emotions, medianprops={"color": "#b4541a"})
    axes.tick_params(axis="x", labelrotation=45)
    axes.set(title="levels", ylabel="dB below full scale")
