import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from emotone.evaluation.metrics import Comparison
from emotone.evaluation.protocol import ProtocolOptions
from emotone.evaluation.results import CorpusRates, DisturbedRates, EnrolmentPoint
from emotone.reporting import experiment_report
from tests.helpers import Links
from tests.made_results import made_rates, made_results, made_setting, made_system

CONFIGURATION = "corpus: {name: emodb}\n"


def test_the_page_stands_alone_and_says_everything() -> None:
    results = made_results()
    page = experiment_report.render(results, CONFIGURATION, "html")
    links = Links()
    links.feed(page)
    assert links.open == []
    assert all(link.startswith("#") for link in links.found)
    assert not re.search(r"url\((?!#)|@import|<script", page)
    assert "made &lt;up&gt;" in page
    assert "made <up>" not in page
    for rate in (results.scores.uar, results.scores.war):
        assert f"{100 * rate.mean:.1f} %" in page
        low, high = (f"{100 * end:.1f}" for end in rate.interval_95)
        assert f"{low} … {high} %" in page
    for row in results.scores.confusion:
        for count in row:
            assert f"<small>{count}</small>" in page
    for part in (
        "Recall per emotion",
        "UAR per speaker",
        "Learning curves",
        "corpus: {name: emodb}",
    ):
        assert part in page
    assert page.count("<svg") == 2
    assert "3-fold over speakers, speaker-independent" in page
    assert "synthetic" not in page


class Sections(HTMLParser):
    """Headings of the page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.in_heading = False

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.in_heading = tag == "h2"

    def handle_data(self, data: str) -> None:
        if self.in_heading:
            self.found.append(data)
            self.in_heading = False


def test_the_sections_have_their_order() -> None:
    corpora = {"a": CorpusRates(**vars(made_rates(0.5)), utterances=40)}
    page = experiment_report.render(made_results(2, by_corpus=corpora), CONFIGURATION, "html")
    sections = Sections()
    sections.feed(page)
    assert sections.found == [
        "Further rates", "Rates per corpus", "Recall per emotion", "UAR per speaker",
        "Confusion matrix", "Learning curves", "Configuration", "Versions",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["html", "md", "tex"])
def test_synthetic_speech_is_called_so(kind: str) -> None:
    results = made_results(setting=made_setting(synthetic=True, corpus="synthetic"))
    assert "synthetic speech" in experiment_report.render(results, CONFIGURATION, kind).lower()


@pytest.mark.parametrize("kind", ["html", "md", "tex"])
def test_speaker_dependent_figures_are_called_so(kind: str) -> None:
    protocol = ProtocolOptions(name="fold_column", speaker_dependent=True)
    results = made_results(setting=made_setting(protocol=protocol))
    text = experiment_report.render(results, CONFIGURATION, kind)
    assert "speaker-dependent" in text
    assert "speaker-independent" not in text.replace("with speaker-independent ones", "")


@pytest.mark.parametrize("kind", ["html", "md"])
@pytest.mark.parametrize(("interval", "marked"), [((0.30, 0.45), True), ((0.35, 0.45), False)])
def test_a_rate_that_guessing_reaches_is_marked(
    kind: str, interval: tuple[float, float], marked: bool
) -> None:
    results = made_results()
    scores = replace(results.scores, uar=replace(results.scores.uar, interval_95=interval))
    for only_dimensions in (False, True):
        changed = replace(results, scores=scores, only_dimensions=only_dimensions)
        text = experiment_report.render(changed, CONFIGURATION, kind)
        assert "a UAR of 33.3 %" in text
        assert ("may have learnt nothing" in text) == (marked and not only_dimensions)


@pytest.mark.parametrize("kind", ["html", "md", "tex"])
def test_transductive_figures_are_called_so(kind: str) -> None:
    plain = experiment_report.render(made_results(), CONFIGURATION, kind)
    assert "transductive" not in plain.lower()
    results = made_results(system=made_system(transductive=True))
    text = experiment_report.render(results, CONFIGURATION, kind)
    assert "speaker-independent, transductive" in text


def test_markdown_and_latex_carry_the_same_figures() -> None:
    results = made_results(seeds=2)
    markdown = experiment_report.render(results, CONFIGURATION, "md")
    latex = experiment_report.render(results, CONFIGURATION, "tex")
    for name, rate in (("UAR", results.scores.uar), ("WAR", results.scores.war)):
        pooled = f"{100 * rate.mean:.1f}"
        assert re.search(rf"\| {name} \(.*\) \| {pooled} \|", markdown)
        assert re.search(rf"{name} & {pooled} &", latex)
    assert "seeds 0, 1" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("| anger |")]
    assert table[1].count("|") == 5


def test_each_corpus_of_several_has_its_rates() -> None:
    corpora = {"a_b": CorpusRates(**vars(made_rates(0.5, 0.48, 0.52)), utterances=40)}
    results = made_results(2, by_corpus=corpora)
    assert "| a_b | 40 | 50.0 ± 2.8 | 45.0 … 55.0 | 51.0 ± 2.8 |" in experiment_report.render(
        results, CONFIGURATION, "md"
    )
    latex = experiment_report.render(results, CONFIGURATION, "tex")
    assert r"UAR of a\_b & 50.0 & 45.0--55.0 & \\" in latex


def test_the_ensemble_of_each_corpus_and_of_disturbed_utterances() -> None:
    single, ensemble = vars(made_rates(0.5, 0.48, 0.52)), made_rates(0.61)
    corpora = {"a": CorpusRates(**single, utterances=40, ensemble=ensemble)}
    disturbed = DisturbedRates(**single, by_corpus=corpora, ensemble=ensemble)
    results = made_results(2, by_corpus=corpora, disturbed=disturbed)
    markdown = experiment_report.render(results, CONFIGURATION, "md")
    assert "| WAR, % | ensemble: UAR, % | disturbed: UAR, % |" in markdown
    assert "| a | 40 | 50.0 ± 2.8 | 45.0 … 55.0 | 51.0 ± 2.8 | 61.0 | 50.0 ± 2.8 |" in markdown
    assert "The ensemble has 61.0 %, mean over folds" in markdown
    page = experiment_report.render(results, CONFIGURATION, "html")
    assert "<td>61.0</td>" in page
    assert "The ensemble has 61.0 %" in page


def test_the_ensemble_and_the_enrolment_are_there_if_there_are_some() -> None:
    curve = (
        EnrolmentPoint(0, 0.5, Comparison(0.0, (0.0, 0.0), 1.0)),
        EnrolmentPoint(25, 0.553, Comparison(0.053, (0.01, 0.1), 0.02)),
    )
    two = made_results(seeds=2, enrolment=curve)
    page = experiment_report.render(two, CONFIGURATION, "html")
    assert "Ensemble, mean posteriors of the 2 seeds" in page
    assert "enrolment utterances of the speaker" in page
    markdown = experiment_report.render(two, CONFIGURATION, "md")
    assert "| 25 | 55.3 | +5.3 [+1.0, +10.0] | 0.020 |" in markdown
    plain = experiment_report.render(made_results(), CONFIGURATION, "md")
    assert "Ensemble" not in plain
    assert "enrolment" not in plain


def test_a_label_that_is_never_tested_has_no_recall() -> None:
    results = made_results()
    recall = results.scores.recall | {"sadness": None}
    scores = replace(results.scores, recall=recall)
    markdown = experiment_report.render(replace(results, scores=scores), CONFIGURATION, "md")
    assert "| sadness | – |" in markdown
