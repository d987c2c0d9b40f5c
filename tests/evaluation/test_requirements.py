from pathlib import Path

import pytest

from emotone.errors import UsageError
from emotone.evaluation import requirements
from emotone.evaluation.audit_results import AUDIT, Requirement
from tests.made_audit import made_audit, made_voice


def written(folder: Path, text: str) -> Path:
    path = folder / "require.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_may_be_nested_or_joined(tmp_path: Path) -> None:
    text = """
clean.uar: {min: 0.6}
robustness:
  noise.unchanged: {min: 0.9}
  room: {rt60_0_6: {uar_change: {min: -0.06, max: 0.1}}}
"""
    assert requirements.read(written(tmp_path, text)) == (
        Requirement("clean.uar", 0.6, None),
        Requirement("robustness.noise.unchanged", 0.9, None),
        Requirement("robustness.room.rt60_0_6.uar_change", -0.06, 0.1),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("robustnes.noise.unchanged: {min: 0.9}", "unknown figure 'robustnes.noise.unchanged'; "
         "did you mean 'robustness.noise.unchanged'"),
        ("robustness.noise: {unchaned: {min: 1}}", "did you mean 'robustness.noise.unchanged'"),
        ("clean.uar: 0.6", r"expected numbers as \{min: …\}, \{max: …\} or both, got 0.6"),
        ("clean.uar: {least: 0.6}", "unknown figure 'clean.uar.least'"),
        ("clean.uar: {min: 0.6, mx: 1}", "expected numbers as"),
        ("clean.uar: {min: true}", "expected numbers as"),
        ("clean.uar: {min: high}", "expected numbers as"),
        ("clean.uar: {}", "expected numbers as"),
        ("- clean.uar", "expected thresholds such as"),
        ("", "expected thresholds such as"),
        ("a: [", "not valid YAML"),
    ],
)  # fmt: skip
def test_what_cannot_be_required_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        requirements.read(written(tmp_path, text))


@pytest.mark.parametrize("limit", [".nan", ".inf"])
def test_limits_are_finite(tmp_path: Path, limit: str) -> None:
    (tmp_path / "a.yaml").write_text(f"clean.uar: {{min: {limit}}}")
    with pytest.raises(UsageError, match=r"clean\.uar: expected numbers as"):
        requirements.read(tmp_path / "a.yaml")


def test_the_example_of_the_how_to_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "audit.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    asked = requirements.read(written(tmp_path, example))
    assert len(asked) == 13
    assert Requirement("robustness.noise.uar_change", -0.03, None) in asked
    names = {key.rpartition(".")[2] for key in requirements.known_keys()}
    for name in names:
        assert f"`{name}`" in page or f"{name}:" in page, name


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--require: cannot read .*gone\.yaml"):
        requirements.read(tmp_path / "gone.yaml")


def test_all_figures_of_an_audit_are_known_and_groups_have_their_worst() -> None:
    found = dict(requirements.figures(made_audit()))
    assert set(found) <= set(requirements.known_keys())
    assert found["clean.lowest_recall"] == 0.75
    assert found["robustness.noise.unchanged"] == 0.855
    assert found["robustness.noise.white.unchanged"] == 0.95
    assert found["robustness.noise.uar_change"] == -0.04
    assert found["robustness.codec.unchanged"] is None
    assert found["fairness.sex.uar_gap"] == 0.1
    assert found["non_speech.confident"] == 0.15
    assert found["non_speech.silence.confident"] == 0.0
    assert found["coverage.accuracy"] == 0.925


def test_the_worst_unusual_voice_is_the_most_confident() -> None:
    voices = (made_voice("whispered", 0.05), made_voice("sung", 0.2))
    found = dict(requirements.figures(made_audit(robustness=voices)))
    assert found["robustness.voice.confident"] == 0.2
    assert found["robustness.voice.whispered.confident"] == 0.05
    assert [voice.passed for voice in voices] == [True, False]


def test_limits_include_their_ends_and_what_was_not_measured_is_missed() -> None:
    asked = [
        Requirement("robustness.noise.unchanged", 0.855, None),
        Requirement("robustness.noise.unchanged", 0.86, None),
        Requirement("calibration.error", None, 0.0625),
        Requirement("calibration.error", None, 0.06),
        Requirement("robustness.codec.opus.unchanged", 0.1, None),
    ]
    checked = requirements.checked(made_audit(), asked)
    assert [one.passed for one in checked] == [True, False, True, False, False]
    assert checked[-1].found is None


def test_an_audit_survives_its_file() -> None:
    audit = made_audit(requirements=(Requirement("clean.uar", 0.6, None, 0.8),))
    assert AUDIT.validate_json(AUDIT.dump_json(audit)) == audit
