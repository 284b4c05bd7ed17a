from driftbook.decisions import Decision


def test_a_decision_survives_its_json_form():
    decision = Decision("keep", ("Too little.", "Too late."), {"days": 3})
    assert Decision.from_json(decision.to_json()) == decision


def test_a_decision_reads_as_markdown_with_the_action_first():
    lines = Decision("promote", ("Better.", "Stable."), {}).summary().splitlines()
    assert lines == ["**promote**", "", "* Better.", "* Stable."]
