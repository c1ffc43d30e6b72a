"""The state between two bars: what is written is read the same, and what is none is not read."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonic_music.composing.carried import Carried
from harmonic_music.composing.form import Cadence, Field
from harmonic_music.composing.harmony import ChordSlot
from harmonic_music.composing.memory import MOST_THEMES, UNIT, Theme
from harmonic_music.composing.runs import MOST_RUNS
from harmonic_music.composing.variation import Sung
from harmonic_music.endless.demand import Demand
from harmonic_music.endless.segment import Heard, PiecePosition, Segment, ThemeHistory
from harmonic_music.endless.wire import (
    MAX_STATE_BYTES,
    MOST_BARS,
    MOST_NOTES,
    going_on,
    read,
    read_segment,
    segment_text,
    written,
)
from harmonic_music.styles.catalogue import STYLES
from harmonic_music.theory.scales import SCALES
from music_service.validity import KEYS, SCALE_NAMES

#: A bar of four quarters, in units and in ticks.
BAR_UNITS = 48
BAR = BAR_UNITS * UNIT
LEAST_BEAT_NS, MOST_BEAT_NS = 2 * 10**8, 2 * 10**9
MOST_NUMBER = 1 << 48
MOST_HEARD, MOST_RUN, MOST_NAME = 1 << 16, 1 << 20, 16

THEME = Theme(
    ((ChordSlot(0, BAR // 4, 0), ChordSlot(BAR // 4, 3 * BAR // 4)), (ChordSlot(0, BAR, 6),)),
    (((0, (0, 0)), (BAR // 2, (-3, -1))), (), ((47 * UNIT, (31, 2)), (47 * UNIT, (-32, -2)))),
    BAR,
    7,
)
SHORT = Theme((), (((12 * UNIT, (4, 1)),),), BAR, 7)
DEMAND = Demand(600, 300, 900, 500, 90, -12, 40, 2200, "F#", "dorian")
SEGMENT = Segment(
    style="strings",
    start=41,
    chapter=3,
    slot=2,
    asked=DEMAND,
    key=Field(SCALES["dorian"], 6),
    onward=Field(SCALES["blues"], 11),
    first=1,
    leads=True,
    prepared=False,
    carried=Carried(
        degree=4,
        key=Field(SCALES["major"], 0),
        melody=(72, 74),
        bass=36,
        voicing=(55, 60, 64),
        section="B",
        themes={"AA": THEME, "BA": SHORT},
        runs={(0, 120, 5, 1): 2, (480, 240, 4, -1): 1},
    ),
    played=SHORT,
    known={"AA": ThemeHistory(Cadence.HALF, 2), "BA": ThemeHistory(Cadence.CLOSED)},
    heard=(5, -2, 41, -7),
)
POSITION = PiecePosition(SEGMENT, 2, 500_000_000, 7)
#: As replicas of this version of the composer write it, and go on with what others stored.
TEXT = (
    '2;2;500000000;7|{"style":"strings","start":41,"chapter":3,"slot":2,'
    '"asked":[600,300,900,500,90,-12,40,2200,"F#","dorian"],"key":"6023579A","onward":"B03567A",'
    '"first":1,"leads":true,"prepared":false,"degree":4,"was":"0024579B","melody":[72,74],'
    '"bass":36,"voicing":[55,60,64],"section":"B","runs":[[0,120,5,1,2],[480,240,4,-1,1]],'
    '"themes":{"AA":["0C0Ca./0m6","0WOT-//l~>l0<",7,1,2],"BA":["","Ca+",7,0,0]},'
    '"played":["","Ca+",7],"heard":[5,-2,41,-7]}'
)


@pytest.fixture(autouse=True, scope="module")
def read_anew() -> None:
    """What was read before these tests is not remembered."""
    read_segment.cache_clear()


def test_a_state_is_written_as_others_read_it() -> None:
    assert written(POSITION) == TEXT


def test_a_state_of_another_replica_is_read() -> None:
    assert read(TEXT) == POSITION


def test_a_name_may_hold_what_parts_a_state_from_its_segment() -> None:
    carried = replace(SEGMENT.carried, section="A|B")
    position = replace(POSITION, segment=replace(SEGMENT, carried=carried))
    text = written(position)
    assert read(text) == position
    assert going_on(position, segment_text(text)) == text


def test_the_bars_of_a_segment_share_its_text() -> None:
    onward = replace(POSITION, place=3, beat_ns=600_000_000, rest=9)
    assert segment_text(written(onward)) == segment_text(TEXT)
    assert going_on(onward, segment_text(TEXT)) == written(onward)


# Whatever is written.

BARS = st.integers(0, MOST_BARS)
FIELDS = st.builds(Field, st.sampled_from(list(SCALES.values())), st.integers(0, 11))
PITCHES = st.integers(0, 127)
NUMBERS = st.integers(0, MOST_NUMBER)
SLOTS = st.integers(0, 64)


@st.composite
def chords(draw: st.DrawFn, tones: int) -> tuple[ChordSlot, ...]:
    """The chords of a bar, which fill it."""
    inner = draw(st.sets(st.integers(1, BAR_UNITS - 1), max_size=3))
    bounds = [0, *sorted(inner), BAR_UNITS]
    degrees = st.none() | st.integers(0, tones - 1) if tones else st.none()
    return tuple(
        ChordSlot(start * UNIT, (end - start) * UNIT, draw(degrees))
        for start, end in pairwise(bounds)
    )


SUNG: st.SearchStrategy[Sung] = st.lists(
    st.tuples(
        st.integers(0, BAR_UNITS - 1).map(lambda units: units * UNIT),
        st.tuples(st.integers(-32, 31), st.integers(-2, 2)),
    ),
    max_size=MOST_NOTES,
).map(tuple)


@st.composite
def themes(draw: st.DrawFn) -> Theme:
    tones = draw(st.integers(0, 12))
    rows = tuple(draw(chords(tones)) for _ in range(draw(BARS)))
    melody = tuple(draw(SUNG) for _ in range(draw(BARS)))
    # One bar without a note is written as none at all.
    return Theme(rows, () if melody == ((),) else melody, BAR if tones else 0, tones)


@st.composite
def carried(draw: st.DrawFn) -> Carried:
    key = draw(st.none() | FIELDS)
    last = len(key.scale.steps) - 1 if key else 0
    return Carried(
        degree=draw(st.none() | st.integers(0, last)),
        key=key,
        melody=draw(st.none() | st.tuples(PITCHES, PITCHES)),
        bass=draw(st.none() | PITCHES),
        voicing=tuple(draw(st.lists(PITCHES, min_size=1, max_size=3))),
        section=draw(st.sampled_from(["", "A", "B", "C"])),
        themes=draw(st.dictionaries(st.sampled_from(["AA", "AB", "BA", "CA"]), themes())),
        runs=draw(
            st.dictionaries(
                st.tuples(
                    st.integers(0, BAR),
                    st.integers(0, BAR),
                    st.integers(4, 20),
                    st.sampled_from([1, -1]),
                ),
                st.integers(1, 9),
                max_size=3,
            )
        ),
    )


DEMANDS = st.builds(
    Demand,
    *[st.integers(0, 1000)] * 4,
    st.integers(1, 500),
    st.integers(-100, 100),
    st.integers(-1000, 1000),
    st.integers(1, 10_000),
    st.sampled_from(KEYS),
    st.sampled_from(SCALE_NAMES),
)


@st.composite
def positions(draw: st.DrawFn) -> PiecePosition:
    left = draw(carried())
    histories = st.builds(ThemeHistory, st.sampled_from(Cadence), SLOTS)
    segment = Segment(
        style=draw(
            st.sampled_from(
                [style.name for style in STYLES.values() if style.meter.bar == BAR_UNITS]
            )
        ),
        start=draw(NUMBERS),
        chapter=draw(NUMBERS),
        slot=draw(SLOTS),
        asked=draw(DEMANDS),
        key=draw(FIELDS),
        onward=draw(st.none() | FIELDS),
        first=draw(st.integers(0, MOST_BARS - 1)),
        leads=draw(st.booleans()),
        prepared=draw(st.booleans()),
        carried=left,
        played=draw(themes()),
        known={name: draw(histories) for name in left.themes},
        heard=draw(st.tuples(*[st.integers(-MOST_HEARD, MOST_HEARD)] * 4)),
    )
    return PiecePosition(
        segment,
        draw(st.integers(0, MOST_BARS - 1)),
        draw(st.integers(LEAST_BEAT_NS, MOST_BEAT_NS)),
        draw(st.integers(0, 1999)),
    )


@given(positions())
def test_whatever_is_written_is_read_the_same(position: PiecePosition) -> None:
    text = written(position)
    assert text.isascii()
    assert len(text) <= MAX_STATE_BYTES
    found = read(text)
    assert found is not None
    if found.segment.carried != position.segment.carried:
        # It was too long: all the rest is as it was.
        position = replace(position, segment=shortened(position.segment, found.segment))
    assert found == position


def shortened(segment: Segment, found: Segment) -> Segment:
    """The segment with as many themes as were found, and without runs."""
    kept = list(segment.carried.themes)[: len(found.carried.themes)]
    left = {name: segment.carried.themes[name] for name in kept}
    return replace(
        segment,
        carried=replace(segment.carried, runs={}, themes=left),
        known={name: segment.known[name] for name in kept},
    )


# Its bounds.

ROW: Sung = tuple((units * UNIT, (units % 7, 1)) for units in range(MOST_NOTES + 5))
LARGE = Theme(((ChordSlot(0, BAR, 0),),) * (MOST_BARS + 2), (ROW,) * (MOST_BARS + 2), BAR, 7)


def holding(themes: int, theme: Theme, runs: int, section: str = "") -> PiecePosition:
    names = [f"A{number}" for number in range(themes)]
    left = Carried(
        section=section,
        themes=dict.fromkeys(names, theme),
        runs={(0, number, 4, 1): 1 for number in range(runs)},
    )
    known = dict.fromkeys(names, ThemeHistory(Cadence.OPEN))
    return replace(POSITION, segment=replace(SEGMENT, carried=left, known=known))


def reread(position: PiecePosition) -> Segment:
    found = read(written(position))
    assert found is not None
    return found.segment


def test_a_theme_is_cut_to_the_bars_and_notes_that_are_remembered() -> None:
    (theme,) = reread(holding(1, LARGE, 0)).carried.themes.values()
    assert theme == replace(
        LARGE, chords=LARGE.chords[:MOST_BARS], melody=(ROW[:MOST_NOTES],) * MOST_BARS
    )
    position = replace(POSITION, segment=replace(SEGMENT, played=LARGE))
    assert reread(position).played == theme


def test_no_more_themes_and_runs_are_written_than_are_remembered() -> None:
    position = holding(MOST_THEMES + 1, SHORT, MOST_RUNS + 1)
    # Readers would leave out themes that are too many, too.
    assert said(position) == ([f"A{number}" for number in range(MOST_THEMES)], MOST_RUNS)
    left = reread(position).carried
    assert list(left.runs) == [(0, number, 4, 1) for number in range(MOST_RUNS)]


@pytest.mark.parametrize("place", range(4))
def test_a_layer_is_heard_for_no_more_bars_than_are_counted(place: int) -> None:
    for bars, counted in (
        *((MOST_HEARD, MOST_HEARD), (MOST_HEARD + 1, MOST_HEARD)),
        *((-MOST_HEARD, -MOST_HEARD), (-MOST_HEARD - 1, -MOST_HEARD)),
    ):
        position = replace(POSITION, segment=replace(SEGMENT, heard=heard_for(place, bars)))
        assert reread(position).heard == heard_for(place, counted)


def heard_for(place: int, bars: int) -> Heard:
    """One layer's bars, and small numbers for the others."""
    melody, upper, bass, drums = (bars if each == place else each + 1 for each in range(4))
    return melody, upper, bass, drums


def filled(themes: int, runs: int, beyond: int) -> PiecePosition:
    """A position whose text, without its bounds, is ``beyond`` bytes longer than may be."""
    filling = MAX_STATE_BYTES - len(written(holding(themes, SHORT, runs)))
    return holding(themes, SHORT, runs, "x" * (filling + beyond))


def said(position: PiecePosition) -> tuple[list[str], int]:
    """The themes, and the number of runs, in a position's text."""
    text = written(position)
    assert len(text) <= MAX_STATE_BYTES
    found = json.loads(text.partition("|")[2])
    return list(found["themes"]), len(found["runs"])


def test_of_too_long_a_state_the_runs_are_dropped_first_and_then_the_last_themes() -> None:
    assert len(written(filled(3, 2, 0))) == MAX_STATE_BYTES
    assert said(filled(3, 2, 0)) == (["A0", "A1", "A2"], 2)
    assert said(filled(3, 2, 1)) == (["A0", "A1", "A2"], 0)
    assert said(filled(3, 0, 1)) == (["A0", "A1"], 0)
    of_a_theme = len(',"A0":["","Ca+",7,3,0]')
    assert said(filled(3, 0, of_a_theme)) == (["A0", "A1"], 0)
    assert said(filled(3, 0, of_a_theme + 1)) == (["A0"], 0)
    with pytest.raises(ValueError, match="nothing is left"):
        written(filled(0, 0, 1))


def test_what_is_far_from_the_tonic_is_written_as_far_as_can_be() -> None:
    far = replace(SHORT, melody=(((0, (50, 0)), (UNIT, (-50, 0))),))
    assert reread(replace(POSITION, segment=replace(SEGMENT, played=far))).played.melody == (
        ((0, (31, 0)), (UNIT, (-32, 0))),
    )


# What is no state.

HEAD, _, BODY = TEXT.partition("|")


def with_value(name: str, value: object) -> str:
    """The state with another value of its segment."""
    return f"{HEAD}|{json.dumps({**json.loads(BODY), name: value})}"


def with_asked(place: int, value: object) -> str:
    asked = [*json.loads(BODY)["asked"]]
    asked[place] = value
    return with_value("asked", asked)


def with_theme(*row: object) -> str:
    """The state with one theme; a row is its chords, melody, tones, cadence and returns."""
    return with_value("themes", {"AA": list(row)})


@pytest.mark.parametrize(
    ("state", "within", "beyond"),
    [
        ("2;{};500000000;7|" + BODY, (0, MOST_BARS - 1), (-1, MOST_BARS)),
        (
            "2;2;{};7|" + BODY,
            (LEAST_BEAT_NS, MOST_BEAT_NS),
            (LEAST_BEAT_NS - 1, MOST_BEAT_NS + 1),
        ),
        ("2;2;500000000;{}|" + BODY, (0, 1999), (-1, 2000)),
    ],
    ids=["place", "beat", "rest"],
)
def test_the_place_and_the_time_are_bounded(
    state: str, within: tuple[int, int], beyond: tuple[int, int]
) -> None:
    # The segment's braces are no places to fill.
    assert all(read(state.replace("{}", str(number), 1)) is not None for number in within)
    assert all(read(state.replace("{}", str(number), 1)) is None for number in beyond)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("start", 0, MOST_NUMBER),
        ("chapter", 0, MOST_NUMBER),
        ("slot", 0, 64),
        ("first", 0, MOST_BARS - 1),
        ("degree", 0, 6),
        ("bass", 0, 127),
    ],
)
def test_numbers_of_a_segment_are_bounded(name: str, lowest: int, highest: int) -> None:
    assert read(with_value(name, lowest)) is not None
    assert read(with_value(name, highest)) is not None
    beyond: tuple[object, ...] = (lowest - 1, highest + 1, "1", 1.5, [1], {})
    for value in beyond:
        assert read(with_value(name, value)) is None


@pytest.mark.parametrize(
    ("place", "lowest", "highest"),
    [
        *((place, 0, 1000) for place in range(4)),
        *((4, 1, 500), (5, -100, 100), (6, -1000, 1000), (7, 1, 10_000)),
    ],
)
def test_what_was_asked_for_is_bounded(place: int, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        found = read(with_asked(place, value))
        assert found is not None
        assert value in (
            *(found.segment.asked.consonance, found.segment.asked.chromatic),
            *(found.segment.asked.liveliness, found.segment.asked.width),
            *(found.segment.asked.length_percent, found.segment.asked.lift),
            *(found.segment.asked.weight, found.segment.asked.room),
        )
    for value in (lowest - 1, highest + 1):
        assert read(with_asked(place, value)) is None


@pytest.mark.parametrize(
    "row",
    [
        ("0m0", "00", 7, 0, 0),
        ("0m.", "l0", 0, 3, 64),
        ("0m6/" * (MOST_BARS - 1) + "0m6", "00" * MOST_NOTES, 7, 0, 0),
        ("", "00/" * (MOST_BARS - 1) + "00", 12, 0, 0),
    ],
    ids=["small", "of no scale", "long chords", "long melody"],
)
def test_a_theme_within_its_bounds_is_read(row: tuple[object, ...]) -> None:
    assert read(with_theme(*row)) is not None


@pytest.mark.parametrize(
    "row",
    [
        ("0m0", "m0", 7, 0, 0),
        ("0l0", "00", 7, 0, 0),
        ("0n0", "00", 7, 0, 0),
        ("0m0/0l0", "00", 7, 0, 0),
        ("0m7", "00", 7, 0, 0),
        ("0m0", "00", 13, 0, 0),
        ("0m0", "00", -1, 0, 0),
        ("0m0", "00", 7, 4, 0),
        ("0m0", "00", 7, 0, 65),
        ("0m0", "00", 7, 0, -1),
        ("0m0", "00" * (MOST_NOTES + 1), 7, 0, 0),
        ("0m0", "00/" * MOST_BARS + "00", 7, 0, 0),
        ("0m0/" * MOST_BARS + "0m0", "00", 7, 0, 0),
        ("0m", "00", 7, 0, 0),
        ("0m0", "0", 7, 0, 0),
        ("0m0", "0 ", 7, 0, 0),
        ("0m0", "00", 7, 0),
    ],
)
def test_a_theme_beyond_its_bounds_is_no_state(row: tuple[object, ...]) -> None:
    assert read(with_theme(*row)) is None


@pytest.mark.parametrize(
    "state",
    [
        None,
        "",
        "|",
        BODY,
        HEAD,
        f"2;2;500000000|{BODY}",
        f"{HEAD};1|{BODY}",
        f"1;2;500000000;7|{BODY}",
        f"{HEAD}|[]",
        f"{HEAD}|" + "[" * 4000,
        f"{HEAD}|null",
        f"{HEAD}|{{}}",
        with_value("style", "unknown"),
        with_value("key", "60235"),
        with_value("key", "C024579B"),
        with_value("onward", "x"),
        with_value("was", "C"),
        with_value("voicing", []),
        with_value("voicing", [60] * 4),
        with_value("voicing", [128]),
        with_value("voicing", {"60": 60}),
        with_value("voicing", 60),
        with_value("melody", [60]),
        with_value("melody", [60, 128]),
        with_value("melody", [-1, 60]),
        with_value("runs", [[0, 0, 4, 1, 1]] * (MOST_RUNS + 1)),
        with_value("runs", {}),
        with_value("runs", [[0, 0, 4, 1]]),
        with_value("played", ["", "", 7, 1, 1][:2]),
        with_value("themes", []),
        with_asked(8, "H"),
        with_asked(9, "loud"),
    ],
)
def test_what_is_no_state_is_not_read(state: str | None) -> None:
    assert read(state) is None


def test_the_least_of_what_may_be_missing_is_read() -> None:
    position = replace(
        POSITION,
        segment=Segment("strings", 0, 0, 0, DEMAND, SEGMENT.key),
    )
    assert read(written(position)) == position


@pytest.mark.parametrize("place", range(4))
def test_what_was_heard_is_counted_within_bounds(place: int) -> None:
    for value in (-MOST_HEARD, MOST_HEARD):
        assert read(with_value("heard", heard_for(place, value))) is not None
    for beyond in (-MOST_HEARD - 1, MOST_HEARD + 1, 0.5, None):
        row: list[object] = [*heard_for(place, 0)]
        row[place] = beyond
        assert read(with_value("heard", row)) is None


@pytest.mark.parametrize("row", [[], [0] * 3, [0] * 5, None, "0000"])
def test_all_layers_were_heard_or_rested(row: object) -> None:
    assert read(with_value("heard", row)) is None


@pytest.mark.parametrize("place", range(5))
def test_the_numbers_of_a_run_are_bounded(place: int) -> None:
    for value in (-MOST_RUN, MOST_RUN):
        row = [0] * 5
        row[place] = value
        found = read(with_value("runs", [row]))
        assert found is not None
        at, step, count, up, times = row
        assert found.segment.carried.runs == {(at, step, count, up): times}
    for beyond in (-MOST_RUN - 1, MOST_RUN + 1):
        row = [0] * 5
        row[place] = beyond
        assert read(with_value("runs", [row])) is None


def test_names_are_bounded() -> None:
    row = ["0m0", "00", 7, 0, 0]
    for name, is_read in (("x" * MOST_NAME, True), ("x" * (MOST_NAME + 1), False)):
        assert (read(with_value("section", name)) is not None) is is_read
        assert (read(with_value("themes", {name: row})) is not None) is is_read
    assert read(with_value("section", None)) is None


def test_a_degree_is_of_the_scale_that_was_heard() -> None:
    assert read(with_value("was", "B03567A").replace('"degree": 4', '"degree": 5')) is not None
    assert read(with_value("was", "B03567A").replace('"degree": 4', '"degree": 6')) is None
    assert read(with_value("was", "").replace('"degree": 4', '"degree": 0')) is not None
    assert read(with_value("was", "").replace('"degree": 4', '"degree": 1')) is None


def test_every_pitch_may_have_been_sung() -> None:
    found = read(with_value("melody", [0, 127]))
    assert found is not None
    assert found.segment.carried.melody == (0, 127)


def test_a_state_is_read_up_to_its_longest() -> None:
    longest = TEXT + " " * (MAX_STATE_BYTES - len(TEXT))
    assert read(longest) == POSITION
    assert read(longest + " ") is None


def test_themes_beyond_those_remembered_are_not_read() -> None:
    row = ["0m0", "00", 7, 0, 0]
    found = read(with_value("themes", {f"A{number}": row for number in range(MOST_THEMES + 1)}))
    assert found is not None
    assert len(found.segment.carried.themes) == len(found.segment.known) == MOST_THEMES


def test_what_leads_or_was_prepared_says_so_in_as_many_words() -> None:
    for name in ("leads", "prepared"):
        for value in (1, "true", None):
            found = read(with_value(name, value))
            assert found is not None
            assert getattr(found.segment, name) is False
