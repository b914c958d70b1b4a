import pytest

from fairseq_align.objectives import OBJECTIVES


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_row_is_found_by_its_name_and_needs_what_training_can_have(name):
    objective = OBJECTIVES[name]
    assert objective.name == name and objective.needs <= {"lexicon", "parallel"}


@pytest.mark.parametrize(
    ("task", "criterion", "active"),
    [
        ({}, {}, ["mlm"]),
        ({"tlm_pairs": None, "dict_mlm": None}, {"align_weight": 0.0}, ["mlm"]),
        ({"tlm_pairs": "en:fr"}, {"align_weight": 10.0}, ["mlm", "tlm", "align_mlm"]),
        ({"dict_mlm": "en:fr:en-fr.tsv"}, {}, ["mlm", "dict_mlm"]),
    ],
)
def test_settings_say_which_objectives_are_active(task, criterion, active):
    assert [name for name, objective in OBJECTIVES.items() if objective.is_active(task, criterion)] == active
