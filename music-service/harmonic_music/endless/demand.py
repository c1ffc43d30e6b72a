"""What the parameters ask of a bar, in whole numbers: equal demands are composed alike.

The tempo is separate: it moves bars in time and changes no notes.
"""

from dataclasses import dataclass, replace

from harmonic_music.composing.dice import WHOLE
from harmonic_music.composing.form import Field
from harmonic_music.composing.shape import Shape, deviation, shape_of, thousandths
from harmonic_music.theory.keys import pitch_class
from harmonic_music.theory.scales import SCALES
from harmonic_protocol.values import Key, MusicParameters, PhysicsParameters, Scale

#: The most percent by which physics raises or lowers the energy of all phrases.
_MOST_LIFT = 24
#: The permitted notes per beat, in hundredths, up to a tempo: fast music has fewer.
_ROOMS = ((84.0, 3000), (126.0, 2200), (168.0, 1600), (float("inf"), 1200))
#: The most by which the melody's range widens or narrows from one bar to the next, in thousandths:
#: about three or four semitones.
_MOST_WIDER = 135


@dataclass(frozen=True, slots=True)
class Demand:
    """The levels of :class:`harmonic_music.composing.shape.Shape`, and what physics adds here.

    ``lift`` is added to the energy, in percent. ``weight`` is the gravity, from -1000 to 1000
    thousandths around its default. ``room`` is the permitted notes per beat, in hundredths.
    """

    consonance: int
    chromatic: int
    liveliness: int
    width: int
    length_percent: int
    lift: int
    weight: int
    room: int
    key: Key
    scale: Scale

    @property
    def home(self) -> Field:
        """The key that the parameters ask for."""
        return Field(SCALES[self.scale], pitch_class(self.key))

    def after(self, before: "Demand") -> "Demand":
        """The demand of the bar after one of ``before``: the melody's range moves gradually."""
        by = min(max(self.width - before.width, -_MOST_WIDER), _MOST_WIDER)
        return replace(self, width=before.width + by)

    def shape(self, tempo: float) -> Shape:
        """The demand in the form that the layers of a phrase take."""
        return Shape(
            tempo,
            self.consonance,
            self.chromatic,
            self.liveliness,
            self.width,
            self.length_percent,
        )


def demand_of(music: MusicParameters, physics: PhysicsParameters) -> Demand:
    """The demand of the parameters: elasticity makes it lively and loud, damping neither."""
    shape = shape_of(music, physics)
    elastic, damped = (
        thousandths(deviation(physics, name)) for name in ("elasticity", "air_resistance")
    )
    lift = _MOST_LIFT * (elastic - damped) // WHOLE
    return Demand(
        shape.consonance,
        shape.chromatic,
        shape.liveliness,
        shape.width,
        shape.length_percent,
        min(max(lift, -_MOST_LIFT), _MOST_LIFT),
        thousandths(deviation(physics, "gravity")),
        next(room for slower, room in _ROOMS if shape.tempo < slower),
        music.key,
        music.scale,
    )
