"""The counters as Prometheus reads them, made when it asks.

The registry is the app's own, so that two apps in one process do not count into each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from driftbook.serving.cache import ScoreCache
from driftbook.serving.counters import BUCKETS, Counters, Latencies
from driftbook.serving.log import PredictionLog
from driftbook.serving.models import Following

CONTENT_TYPE = CONTENT_TYPE_LATEST


class ServiceCollector(Collector):
    """Turns counters, the models on duty and the state of the log into metrics named ``driftbook_…``."""

    def __init__(
        self,
        counters: Counters,
        following: Following,
        log: PredictionLog,
        *,
        use_case: str,
        cache: ScoreCache | None = None,
    ) -> None:
        self._counters = counters
        self._following = following
        self._log = log
        self._use_case = use_case
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        """Every metric with its value now."""
        yield from self._requests()
        yield from self._predictions()
        yield from self._models()
        yield from self._log_state()
        if self._cache is not None:
            yield self._cached(self._cache)

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "driftbook_requests", "Requests by route and HTTP status.", labels=["use_case", "route", "status"]
        )
        for (route, status), count in self._counters.requests.items():
            requests.add_metric([self._use_case, route, str(status)], count)
        yield requests
        durations = HistogramMetricFamily(
            "driftbook_request_seconds", "Time to answer a request.", labels=["use_case", "route"]
        )
        for route, latencies in self._counters.durations.items():
            _add(durations, [self._use_case, route], latencies)
        yield durations

    def _predictions(self) -> Iterator[Metric]:
        latency = HistogramMetricFamily(
            "driftbook_prediction_seconds",
            "Time to answer a request for predictions, logging included, by the version that answered.",
            labels=["use_case", "version"],
        )
        for version, latencies in self._counters.latencies.items():
            _add(latency, [self._use_case, str(version)], latencies)
        yield latency
        predictions = CounterMetricFamily(
            "driftbook_predictions",
            "Rows answered, by version, role and predicted class.",
            labels=["use_case", "version", "role", "prediction"],
        )
        for (version, role, label), count in self._counters.predictions.items():
            predictions.add_metric([self._use_case, str(version), role, label], count)
        yield predictions
        flagged = CounterMetricFamily(
            "driftbook_flagged_rows", "Rows that were answered though odd, by kind.", labels=["use_case", "flag"]
        )
        for flag in ("missing", "outlier", "unseen"):
            flagged.add_metric([self._use_case, flag], self._counters.flags[flag])
        yield flagged
        compared = CounterMetricFamily(
            "driftbook_compared_rows", "Rows that champion and challenger both scored.", labels=["use_case"]
        )
        compared.add_metric([self._use_case], self._counters.compared)
        yield compared
        disagreements = CounterMetricFamily(
            "driftbook_disagreements", "Rows they predicted different classes for.", labels=["use_case"]
        )
        disagreements.add_metric([self._use_case], self._counters.disagreements)
        yield disagreements
        targets = CounterMetricFamily(
            "driftbook_targets", "Targets that came, by outcome.", labels=["use_case", "outcome"]
        )
        for outcome, count in self._counters.targets.items():
            targets.add_metric([self._use_case, outcome], count)
        yield targets

    def _models(self) -> Iterator[Metric]:
        duty = self._following.on_duty
        info = GaugeMetricFamily(
            "driftbook_model_on_duty", "1 for each version in memory, by role.", labels=["use_case", "role", "version"]
        )
        load = GaugeMetricFamily(
            "driftbook_model_load_seconds", "Time it took to load the version.", labels=["use_case", "version"]
        )
        for role, version in duty.versions.items() if duty is not None else ():
            info.add_metric([self._use_case, role, str(version.number)], 1)
            load.add_metric([self._use_case, str(version.number)], version.load_seconds)
        yield info
        yield load
        loads = CounterMetricFamily("driftbook_model_loads", "Versions loaded since the start.", labels=["use_case"])
        loads.add_metric([self._use_case], self._following.loads)
        yield loads
        fault = GaugeMetricFamily(
            "driftbook_fault", "1 while something is not as the deployment says.", labels=["use_case", "subject"]
        )
        for subject in ("champion", "challenger", "deployment"):
            fault.add_metric([self._use_case, subject], float(subject in self._following.faults))
        yield fault

    def _log_state(self) -> Iterator[Metric]:
        away = GaugeMetricFamily("driftbook_log_away", "1 while the database does not take rows.", labels=["use_case"])
        away.add_metric([self._use_case], float(self._log.fault is not None))
        yield away
        waiting = GaugeMetricFamily(
            "driftbook_log_waiting_bytes", "What waits in spill files for the database.", labels=["use_case"]
        )
        waiting.add_metric([self._use_case], self._log.waiting_bytes())
        yield waiting
        spilled = CounterMetricFamily(
            "driftbook_log_spilled_rows", "Rows that went into a spill file first.", labels=["use_case"]
        )
        spilled.add_metric([self._use_case], self._log.spilled)
        yield spilled

    def _cached(self, cache: ScoreCache) -> Metric:
        asked = CounterMetricFamily(
            "driftbook_cache", "Rows by whether their scores were kept, and faults.", labels=["use_case", "outcome"]
        )
        for outcome, count in (("hit", cache.hits), ("miss", cache.misses), ("fault", cache.faults)):
            asked.add_metric([self._use_case, outcome], count)
        return asked


def render_metrics(collector: ServiceCollector) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def _add(family: HistogramMetricFamily, labels: list[str], latencies: Latencies) -> None:
    cumulated, below = [], 0
    for bound, count in zip([*map(str, BUCKETS), "+Inf"], latencies.buckets, strict=True):
        below += count
        cumulated.append((bound, float(below)))
    family.add_metric(labels, buckets=cumulated, sum_value=latencies.total)
