"""The pictures of the page: which there are, how to read them, and their SVG within HTML."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from threadpoolctl import threadpool_limits

from .._core.messages import told
from .._interruption import whole_fit
from . import _plots
from ._figures import Figures
from ._fold import FEW_ROWS
from ._points import NoPictureError
from ._style import STYLE
from ._words import escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A picture of the page: how to draw it, what it is called and how to read it."""

    draw: Callable[[Figures], Figure]
    title: str
    caption: str
    tasks: tuple[str, ...] = ("regression", "binary", "multiclass")
    fits: bool = False


CLASSES = ("binary", "multiclass")
PICTURES = {
    "overview": Picture(
        _plots.overview,
        "Scores",
        "Each line is a model, best on top (blue; our network is orange): dots are means over the "
        "folds, bars their standard deviation, small ticks the single folds; where bars overlap "
        "widely the models can hardly be told apart.",
    ),
    "time": Picture(
        _plots.time_against_score,
        "Time against score",
        "Numbers are places in the ranking: models further left are quicker to fit, each "
        "grid line is a multiple of the one before, and a model far off stands at the edge with "
        "its score.",
    ),
    "learning": Picture(
        _plots.learning_curves,
        "Learning curves of the networks",
        "Thin lines are folds, thick ones their mean while all of them still train: where a "
        "validation loss is drawn and rises while the training loss falls, the network overfits.",
    ),
    "rows": Picture(
        _plots.rows_against_score,
        "Would more rows help?",
        "The best model and ours (or the next one) fitted on parts of the first fold's "
        "training rows: a line still getting better at its right end says that more rows would "
        "help.",
        fits=True,
    ),
    "predicted": Picture(
        _plots.predicted_against_true,
        "Predicted against true",
        "Out-of-fold predictions of the best model: points on the dashed line are right, and the "
        "histogram shows how far off the others are and to which side.",
        ("regression",),
    ),
    "confusion": Picture(
        _plots.confusion,
        "Confusion matrix",
        "Out-of-fold predictions of the best model: a row is a true class and shows which classes "
        "it was taken for, so that a perfect model fills the diagonal alone.",
        CLASSES,
    ),
    "curves": Picture(
        _plots.roc_and_precision_recall,
        "ROC and precision-recall",
        "From out-of-fold probabilities: the closer a curve comes to the upper left (ROC) or the "
        "upper right (precision-recall) corner, the better it ranks the rows.",
        CLASSES,
    ),
    "importance": Picture(
        _plots.importance,
        "What the best model relies on",
        "How much worse the best model gets on rows it has not seen when one column is shuffled "
        "(5 times; the bar's whisker is the standard deviation): near zero means it does without.",
        fits=True,
    ),
}


def pictures(comparison: Figures) -> str:
    """All pictures that fit the task; one that can't be made is a sentence."""
    cards = []
    for name, picture in PICTURES.items():
        if comparison.task not in picture.tasks:
            continue
        try:
            drawn = _svg(_draw(picture, comparison), name, f"{picture.title}. {picture.caption}")
        except NoPictureError as error:
            text = f"Left out: {escaped(error)}"
        # The page is worth more than any of its pictures: Ctrl-C skips one that takes long.
        except KeyboardInterrupt:
            text = "Left out: it was interrupted."
        except Exception as error:
            reason = escaped(f"{type(error).__name__}: {told(error)}")
            text = f"Left out, since drawing it failed: {reason}"
        else:
            text = picture.caption
            text = f'<div class="picture">{drawn}</div>\n<figcaption>{text}</figcaption>'
            cards.append(f"<figure>\n<h3>{picture.title}</h3>\n{text}\n</figure>")
            continue
        cards.append(f"<figure>\n<h3>{picture.title}</h3>\n<p>{text}</p>\n</figure>")
    return (
        '<section>\n<h2>Pictures</h2>\n<div class="pictures">\n' + "\n".join(cards) + "\n</div>\n"
        "</section>"
    )


def _draw(picture: Picture, comparison: Figures) -> Figure:
    if picture.fits and comparison.interrupted:
        raise NoPictureError("It needs further fits, and the comparison was interrupted.")
    few = len(comparison.y) < FEW_ROWS  # as in the comparison itself
    with threadpool_limits(1 if few else None), warnings.catch_warnings(), whole_fit():
        # What the models warn of, the comparison has noted; a glyph missing in matplotlib's font
        # is none in the page, whose text the browser sets.
        warnings.simplefilter("ignore")
        return picture.draw(comparison)


def _svg(figure: Figure, name: str, label: str) -> str:
    """The figure as SVG to stand within HTML: no namespaces, metadata or ids met twice."""
    rc_context = import_module("matplotlib").rc_context
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(buffer, format="svg", metadata=nothing)
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            # Its rule for all elements would hold for the whole page.
            if child.tag.endswith(("}style", "}metadata")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        element.attrib.clear()
        for key, value in attributes.items():
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif key == "href" and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            else:
                element.set(key, value.replace("url(#", f"url(#{name}-"))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")
