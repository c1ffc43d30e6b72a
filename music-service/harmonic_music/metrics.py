"""The music service's metrics, each declared once."""

from harmonic_runtime.observability.specs import (
    CounterSpec,
    GaugeSpec,
    HistogramSpec,
    OperatorQuestion,
    labelled,
)

PIECES = CounterSpec(
    "pieces",
    "jobs by outcome; interrupted ones are given to a replica again. foreign: an answer of the"
    " broker that a service which was taken over had stored in the queue",
    OperatorQuestion.MUSIC,
    labelled(outcome=("composed", "too_late", "interrupted", "failed", "unreadable", "foreign")),
)
COMPOSING_SECONDS = HistogramSpec(
    "composing_seconds", "time to compose one piece", OperatorQuestion.MUSIC
)
PIECES_WAITING = GaugeSpec(
    "pieces_waiting", "jobs that this replica holds and has not begun", OperatorQuestion.MUSIC
)
PIECES_COMPOSING = GaugeSpec(
    "pieces_composing", "jobs that this replica works on", OperatorQuestion.MUSIC
)
PIECES_PENDING = GaugeSpec(
    "pieces_pending",
    "jobs of the queue that no replica has finished, as the queue's leader knows",
    OperatorQuestion.MUSIC,
)
QUEUE_FAILURES = CounterSpec(
    "queue_failures",
    "times that the queue of jobs could not be asked, or told. fetch: for jobs; settle: that one is"
    " done; progress: that those here go on; release: that others may have them",
    OperatorQuestion.MUSIC,
    labelled(of=("fetch", "settle", "progress", "release")),
)
QUEUE_UNSEEN = CounterSpec(
    "queue_unseen",
    "times that the queue's leader did not tell its length: pieces_pending is of an earlier time",
    OperatorQuestion.MUSIC,
)
THEMES_UNREADABLE = CounterSpec(
    "themes_unreadable",
    "pieces that answer no earlier one, although they were to: what is stored of it is no piece",
    OperatorQuestion.MUSIC,
)
BARS = CounterSpec(
    "bars",
    "bars of endless pieces by outcome. turned_away: this replica has as many to compose as it may;"
    " too_late: not begun while the owner waited; not_stored: the owner asks again",
    OperatorQuestion.MUSIC,
    labelled(outcome=("composed", "turned_away", "too_late", "not_stored", "failed", "unreadable")),
)
BAR_STATES_UNREADABLE = CounterSpec(
    "bar_states_unreadable",
    "bars with which a piece began anew, since the state that it was to go on from cannot be read:"
    " another release wrote it, or it was damaged",
    OperatorQuestion.MUSIC,
)
STYLES_UNKNOWN = CounterSpec(
    "styles_unknown",
    "pieces in another style than was asked for, since only a newer release has that one",
    OperatorQuestion.MUSIC,
)
BAR_STYLES_UNKNOWN = CounterSpec(
    "bar_styles_unknown", "bars in another style, for the same reason", OperatorQuestion.MUSIC
)
BAR_SECONDS = HistogramSpec(
    "bar_seconds", "time from an owner's question to its answer", OperatorQuestion.MUSIC
)
BARS_COMPOSING = GaugeSpec(
    "bars_composing", "bars that this replica composes or stores", OperatorQuestion.MUSIC
)
