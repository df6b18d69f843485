"""Counts for CloudWatch, as lines of the log (embedded metric format)."""

from collections.abc import Mapping
from typing import Final

_NAMESPACE: Final = "Patchbay"


def count(metrics: Mapping[str, int]) -> None:
    """Emits these counts; the function's name is their dimension. Nothing for none."""
    from aws_lambda_powertools.metrics import Metrics, MetricUnit

    told = {name: value for name, value in metrics.items() if value}
    if not told:
        return
    metrics_of_function = Metrics(namespace=_NAMESPACE)
    for name, value in told.items():
        metrics_of_function.add_metric(name=name, unit=MetricUnit.Count, value=value)
    metrics_of_function.flush_metrics()
