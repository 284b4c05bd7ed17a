"""Whether to train a challenger: ``retrain`` or ``wait``, from one page of evidence.

What calls for it: drift that lasts and matters to the model, drift of its predictions, evidence of drift that added up
over many batches, realised or estimated accuracy below its limit, targets that contradict what the model promises, a
business rule, age, and a person. What holds it back even then, because a challenger trained too early learns the old
world: one is already in place, the last one is too recent, or too few targets of the new time are known. A person's
request waits for no cool-down, but for targets it does. A single odd batch retrains nothing, and drift in columns that
mean little to the model warns and does not retrain.

A figure counts as beyond its limit only when its whole interval is: a small batch may be low by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from driftbook.config.policy import BusinessRule, RetrainingPolicy
from driftbook.decisions import Decision
from driftbook.decisions.retraining_evidence import Accuracy, Figure, RetrainingEvidence
from driftbook.words import metric_text, plain

__all__ = ["LATER_RULES", "LEAST_IMPORTANCE", "Accuracy", "Figure", "RetrainingEvidence", "decide_retraining"]

# columns that carry less than this share of the model's importance cannot matter to it
LEAST_IMPORTANCE = 0.01
# of the policy, not on the first records, which are decided as they were then
LATER_RULES = frozenset({"drifted_importance", "rules", "windows_days"})


@dataclass(frozen=True)
class _Finding:
    """One condition: whether it holds, and the sentence that says so (empty: nothing worth saying)."""

    holds: bool
    sentence: str = ""


def decide_retraining(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> Decision:
    """Train a challenger now, or wait.

    Parameters
    ----------
    evidence
        What was known by then; nothing else enters.
    policy
        The numbers that count.

    Returns
    -------
    ``retrain`` when something calls for it and nothing holds it back, else ``wait``; the reasons name first what
    decided. The evidence holds what called (``calls``) and what allowed (``allowed``), by name.

    Examples
    --------
    >>> from datetime import date
    >>> calm = RetrainingEvidence(as_of=date(2026, 6, 8), champion=1, trained_until=date(2026, 5, 16))
    >>> decision = decide_retraining(calm, RetrainingPolicy())
    >>> print(decision.summary())
    **wait**
    <BLANKLINE>
    * The latest batch did not alarm.
    * Realised accuracy is not known yet.
    * The champion (version 1) was trained on data that are 23 days old, 365 are allowed.
    """
    known = RetrainingEvidence.from_json(evidence.to_json())
    calls = dict(_calls(known, policy))
    checks = {"vacancy": _vacancy(known), "cooldown": _cooldown(known, policy), "targets": _targets(known, policy)}
    wanted = _sentences(call for call in calls.values() if call.holds)
    obstacles = _sentences(check for check in checks.values() if not check.holds)
    retrain = bool(wanted) and not obstacles
    if retrain:
        reasons = [*wanted, *_sentences(checks.values())]
    elif wanted:
        reasons = [*obstacles, *wanted]
    else:
        reasons = _sentences(calls.values())
    rules = policy.model_dump(mode="json", exclude=set(LATER_RULES) if known.is_of_the_first_kind else None)
    return Decision(
        action="retrain" if retrain else "wait",
        reasons=tuple(reasons),
        evidence={
            "given": known.to_json(),
            "policy": rules,
            "calls": {name: call.holds for name, call in calls.items()},
            "allowed": {name: check.holds for name, check in checks.items()},
        },
    )


def _calls(known: RetrainingEvidence, policy: RetrainingPolicy) -> Iterator[tuple[str, _Finding]]:
    """What may call for a challenger, by name; what such evidence does not speak of is left out."""
    if known.request is not None:
        yield "request", _request(known)
    if known.is_of_the_first_kind:
        yield "drift", _drift_of_the_first_kind(known, policy)
    else:
        yield "drift", _drift(known, policy)
        yield "prediction", _prediction(known, policy)
    if known.accumulated is not None:
        yield "accumulated", _accumulated(known)
    yield "accuracy", _accuracy(known, policy)
    if known.withdrawn is not None:
        yield "withdrawn", _withdrawn(known)
    elif known.estimated is not None and known.tested is not None:
        yield "estimate", _estimate(known, policy)
    if policy.rules and not known.is_of_the_first_kind:
        yield "rules", _rules(known, policy.rules)
    yield "age", _age(known, policy)


def _request(evidence: RetrainingEvidence) -> _Finding:
    assert evidence.request is not None
    asked = evidence.request
    return _Finding(True, f"{asked.actor} asked for a challenger after {asked.day}: {asked.reason.rstrip('.')}.")


def _drift(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    run, columns = _run(evidence), len(evidence.drifted_importance)
    if evidence.alarmed_batches < policy.alarmed_batches:
        return _too_short(evidence, policy)
    if not columns:
        what = "no feature drifted, the predictions did" if evidence.prediction_drifted else "the rows drifted"
        return _Finding(True, f"{run}: {what}.")
    counted = _counted(columns, "drifted column", "drifted columns")
    importance = evidence.importance_drifted
    if importance is None:
        return _Finding(True, f"{run}, {counted}.")
    least = policy.drifted_importance
    told = f"{run}, {counted} with {_percent(importance, decimals=0)} of the model's importance"
    if importance >= least:
        return _Finding(True, f"{told}.")
    return _Finding(False, f"{told}: that is a warning; {_percent(least, decimals=0)} call for a challenger.")


def _prediction(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    count = evidence.prediction_batches or 0
    if not count:
        return _Finding(False)
    holds = count >= policy.alarmed_batches
    times = f", at up to {evidence.prediction_excess:.3g} times the limit" if evidence.prediction_excess else ""
    run = f"The predictions drifted in {_counted(count, 'batch', 'batches')} in a row"
    needed = "." if holds else f"; {policy.alarmed_batches} are needed."
    return _Finding(holds, f"{run}, since {evidence.first_prediction_batch}{times}{needed}")


def _accumulated(evidence: RetrainingEvidence) -> _Finding:
    found = evidence.accumulated
    assert found is not None
    return _Finding(
        True,
        f"Evidence of drift that adds up over batches passed its limit in {found.batch_id} "
        f"({found.evidence:,.0f}, {found.limit:,.0f} are allowed): that is enough by itself.",
    )


def _drift_of_the_first_kind(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    """As the first records were decided: the predictions counted only beside an alarm."""
    if evidence.alarmed_batches < policy.alarmed_batches:
        return _too_short(evidence, policy)
    run, importance = _run(evidence), evidence.importance_drifted
    if not evidence.drifted_importance:
        return _Finding(True, f"{run}: {'the predictions' if evidence.prediction_drifted else 'the rows'} drifted.")
    columns = _counted(len(evidence.drifted_importance), "drifted column", "drifted columns")
    known = f", {columns}" + (
        f" with {_percent(importance, decimals=0)} of the model's importance" if importance is not None else ""
    )
    also = " The predictions drifted too." if evidence.prediction_drifted else ""
    matters = importance is None or importance >= LEAST_IMPORTANCE or evidence.prediction_drifted
    verdict = "." if matters else ": it does not matter to the model, and retrains nothing."
    return _Finding(matters, f"{run}{known}{verdict}{also}")


def _run(evidence: RetrainingEvidence) -> str:
    counted = _counted(evidence.alarmed_batches, "batch", "batches")
    return f"{counted} in a row alarmed, since {evidence.first_alarmed_batch}"


def _too_short(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    if evidence.alarmed_batches == 0:
        return _Finding(False, "The latest batch did not alarm.")
    return _Finding(False, f"{_run(evidence)}; {policy.alarmed_batches} are needed.")


def _accuracy(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    if evidence.realised is None or evidence.tested is None:
        return _Finding(False, "Realised accuracy is not known yet.")
    return _against_tested("Realised accuracy", evidence.realised, evidence.tested, policy)


def _estimate(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    assert evidence.estimated is not None
    assert evidence.tested is not None
    name = f"Without targets since {evidence.estimated.first_batch}, estimated accuracy"
    return _against_tested(name, evidence.estimated, evidence.tested, policy)


def _against_tested(name: str, found: Accuracy, tested: Accuracy, policy: RetrainingPolicy) -> _Finding:
    limit = tested.value - policy.accuracy_drop
    fallen = found.high < limit
    verdict = "lies wholly below" if fallen else "does not lie wholly below"
    return _Finding(
        fallen,
        f"{name} {found} {verdict} the limit of {_percent(limit)}: "
        f"tested {_percent(tested.value)} less {policy.accuracy_drop * 100:.3g} points.",
    )


def _withdrawn(evidence: RetrainingEvidence) -> _Finding:
    found = evidence.withdrawn
    assert found is not None
    return _Finding(
        True,
        f"Targets known on {found.known_on} contradict the model's probabilities since {found.since}: "
        f"{_percent(found.promised)} of {found.rows:,} decisions were to be right, {_percent(found.found)} were (each "
        "class and the surest decisions are watched too). Its scores no longer mean what they meant in training: "
        "estimates are withdrawn.",
    )


def _rules(evidence: RetrainingEvidence, rules: Sequence[BusinessRule]) -> _Finding:
    findings = [_rule(evidence.figures.get(rule.metric), rule) for rule in rules]
    broken = [each for each in findings if each.holds]
    return _Finding(bool(broken), " ".join(each.sentence for each in broken or findings))


def _rule(figure: Figure | None, rule: BusinessRule) -> _Finding:
    name = plain(rule.metric)[0].upper() + plain(rule.metric)[1:]
    if figure is None:
        return _Finding(False, f"{name}, which a business rule limits, cannot be measured yet.")
    value, low, high = (metric_text(rule.metric, each) for each in (figure.value, figure.low, figure.high))
    told = f"{name} {value} ({low} to {high}, {figure.rows:,} rows)"
    if rule.minimum is not None and figure.high < rule.minimum:
        limit = metric_text(rule.metric, rule.minimum)
        return _Finding(True, f"{told} lies wholly below {limit}, the least that a business rule allows.")
    if rule.maximum is not None and figure.low > rule.maximum:
        limit = metric_text(rule.metric, rule.maximum)
        return _Finding(True, f"{told} lies wholly above {limit}, the most that a business rule allows.")
    return _Finding(False, f"{told} breaks no business rule beyond doubt.")


def _age(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    age = (evidence.as_of - evidence.trained_until).days
    return _Finding(
        age > policy.max_age_days,
        f"The champion (version {evidence.champion}) was trained on data that are {_counted(age, 'day', 'days')} old, "
        f"{policy.max_age_days} are allowed.",
    )


def _vacancy(evidence: RetrainingEvidence) -> _Finding:
    if evidence.challenger is None:
        return _Finding(True, "No challenger is in place.")
    return _Finding(False, f"A challenger (version {evidence.challenger}) is already in place: it is judged first.")


def _cooldown(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    days = evidence.days_since_challenger
    if days is None:
        return _Finding(True, "No challenger was trained before.")
    told = f"The last challenger was trained {_counted(days, 'day', 'days')} ago"
    if evidence.request is not None and days < policy.cooldown_days:
        return _Finding(True, f"{told}; a person's request does not wait for {policy.cooldown_days}.")
    return _Finding(days >= policy.cooldown_days, f"{told}, {policy.cooldown_days} must lie between two.")


def _targets(evidence: RetrainingEvidence, policy: RetrainingPolicy) -> _Finding:
    rows, batches = evidence.new_labelled_rows, evidence.new_labelled_batches
    enough = rows >= policy.min_new_labelled_rows and batches >= policy.min_new_labelled_batches
    since = evidence.changed_since or evidence.trained_until.isoformat()
    return _Finding(
        enough,
        f"Targets are known for {_counted(batches, 'batch', 'batches')} ({_counted(rows, 'row', 'rows')}) "
        f"since {since}; {policy.min_new_labelled_batches} ({policy.min_new_labelled_rows:,} rows) are needed.",
    )


def _sentences(findings: Iterable[_Finding]) -> list[str]:
    return [each.sentence for each in findings if each.sentence]


def _percent(share: float, *, decimals: int = 1) -> str:
    return f"{100 * share:.{decimals}f} %"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
