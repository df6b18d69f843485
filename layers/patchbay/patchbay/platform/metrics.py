"""Metrics for CloudWatch, as lines of the log (embedded metric format)."""

from collections.abc import Mapping
from typing import Final, Literal

type Unit = Literal["Count", "Seconds"]

_NAMESPACE: Final = "Patchbay"


def emit(metrics: Mapping[str, float], unit: Unit = "Count", **dimension: str) -> None:
    """Emits these metrics in one line; nothing for none.

    The function's name is their dimension `service`; `dimension` are further ones.
    """
    # Its import takes longer than that of the logger, and most functions have nothing to count.
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    if not metrics:
        return
    line = EphemeralMetrics(namespace=_NAMESPACE)
    for name, value in metrics.items():
        line.add_metric(name=name, unit=MetricUnit(unit), value=value)
    for name, text in dimension.items():
        line.add_dimension(name=name, value=text)
    line.flush_metrics()
