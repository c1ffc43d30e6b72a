"""The metrics of ``harmonic probe``, each declared once."""

from harmonic_runtime.observability.specs import (
    CounterSpec,
    GaugeSpec,
    HistogramSpec,
    OperatorQuestion,
    labelled,
)

#: The steps of a round, in order. After a failed step, the rest is skipped.
CONNECT, JOIN, HEAR, RECOVER = "connect", "join", "hear", "recover"
STEPS = (CONNECT, JOIN, HEAR, RECOVER)
#: The results of a step.
OK, FAILED, LIMITED = "ok", "failed", "limited"

PROBE_STEPS = CounterSpec(
    "probe_steps",
    "what the probe's clients did, by what came of it. connect: both clients; join: both; hear: an"
    " update of one by the other; recover: after a cut, what was missed, without joining again;"
    " limited: the probe asked too often, which says nothing of the product",
    OperatorQuestion.CONNECT,
    labelled(step=STEPS, outcome=(OK, FAILED, LIMITED)),
)
PROBE_SECONDS = HistogramSpec(
    "probe_seconds",
    "time that a step took which went well; what is promised of `hear` is 0.25 seconds",
    OperatorQuestion.UPDATES,
    labelled(step=STEPS),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
PROBE_UP = GaugeSpec(
    "probe_up", "1 if every step of the latest round went well", OperatorQuestion.CONNECT
)
