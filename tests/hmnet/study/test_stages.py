"""A sharing schedule: read from text and from study files, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from hmnet.errors import InputError
from hmnet.study.stages import SharingSettings, SharingStage, parse_stages, simplify, write_stages
from hmnet.study.study import load_study, write_study

HEAD = 'schema = "study/1"\ntasks = ["rte", "mrpc"]\n'
TEXT = "6,0,0:0.5 2,4,0:0.3 2,2,2:0.2:0.3"
TABLE = """[sharing]
stages = [
    { share = 0.5, hierarchy = "6,0,0" },
    { share = 0.3, hierarchy = "2,4,0" },
    { share = 0.2, hierarchy = "2,2,2", lower_rate = 0.3 },
]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(HEAD + text)
    return path


def test_a_schedule_is_the_same_in_a_file_and_on_the_command_line(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, TABLE))
    assert study.sharing.stages == parse_stages(TEXT)
    assert write_stages(study.sharing.stages) == TEXT
    write_study(tmp_path / "again.toml", study)
    assert load_study(tmp_path / "again.toml") == study


def test_a_study_without_a_schedule_is_written_as_before(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, ""))
    assert study.sharing == SharingSettings()
    write_study(tmp_path / "again.toml", study)
    assert "sharing" not in (tmp_path / "again.toml").read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("6,0,0:0.5 2,2,2:0.4", r"shares that sum to 1. Found `0.9`"),
        ("2,2,2:0.5 6,0,0:0.5", r"no more in a stage than .* Found `6,0,0` after `2,2,2`"),
        ("2,4,0:0.5 4,0,2:0.5", r"no more in a stage than .* Found `4,0,2` after `2,4,0`"),
        ("6,0,0:0.5 2,2,1:0.5", r"of one depth. Found `6,0,0` with 6 .* `2,2,1` with 5"),
        ("6,0,0", r"should be HIERARCHY:SHARE, .* Found `6,0,0`"),
        ("6,0,0:0 6,0,0:1", r"Found `6,0,0:0`"),
        ("6,0,0:1:2", r"Found `6,0,0:1:2`"),
        ("6,0,0:1:0.3:1", r"Found `6,0,0:1:0.3:1`"),
        ("6,0,0:1.2.3", r"Found `6,0,0:1.2.3`"),
        ("", r"Found ``"),
    ],
)
def test_what_is_no_schedule_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse_stages(text)


def test_a_study_file_tells_all_problems_of_a_schedule_at_once(tmp_path: Path) -> None:
    table = '[sharing]\nstages = [{ share = 2, hierarchy = "6,0" }, { hierarchie = "6,0,0" }]\n'
    with pytest.raises(InputError) as caught:
        load_study(write(tmp_path, table))
    told = str(caught.value)
    assert "Parameter `sharing.stages.0.share` should be less than or equal to 1" in told
    assert "Parameter `hierarchy` should be three layer counts" in told
    assert "Parameter `sharing.stages.1.hierarchie` is unknown. Did you mean `hierarchy`" in told
    assert "Parameter `sharing.stages.1.share` is missing" in told


def test_a_study_file_checks_the_schedule_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shares that sum to 1. Found `1.3`"):
        load_study(write(tmp_path, TABLE.replace("0.2,", "0.5,")))


def test_a_single_plain_stage_is_no_schedule() -> None:
    (plain,) = parse_stages("6,0,0:1")
    (slowed,) = parse_stages("2,2,2:1:0.5")
    assert (simplify([plain]), simplify([slowed])) == ((), (slowed,))
    assert isinstance(slowed, SharingStage)
