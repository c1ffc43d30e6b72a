"""Operations by which services do over HTTP what users do over sockets: each is a command."""

from typing import Annotated, ClassVar

from pydantic import Field

from harmonic_protocol.messages.declaration import Grant, OperationSpec
from harmonic_protocol.messages.music import GenerateMusic, PieceWish
from harmonic_protocol.messages.parameters import ChangesOfSets, UpdateParameters
from harmonic_protocol.messages.universes import UniverseOperation
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import OperationId


class CommandAccepted(WireModel):
    """A command was carried out; what it leads to has numbers up to ``seq``, or follows it."""

    seq: Annotated[int, Field(description="the number of the universe's last frame by then")]


class CommandOperation(UniverseOperation):
    """An operation that carries a command out, without a seat in the room."""

    answer: ClassVar = CommandAccepted
    carries_out: ClassVar[type[UpdateParameters | GenerateMusic]]

    op_id: OperationId | None = None

    def command(self) -> UpdateParameters | GenerateMusic:
        """The command, in the form that a client would have sent."""
        asked = self.model_dump(by_alias=True, exclude_unset=True)
        return self.carries_out.model_validate(asked)


class ChangeParameters(ChangesOfSets, CommandOperation):
    """Change one or more parameter sets, as ``update_parameters`` does."""

    spec: ClassVar = OperationSpec(
        "change_parameters",
        "PATCH",
        "/universes/{universeId}/parameters",
        grant=Grant.SERVICE,
        services=True,
    )
    carries_out: ClassVar = UpdateParameters


class ComposeMusic(PieceWish, CommandOperation):
    """Ask for a piece, as ``generate_music`` does: the room hears it, and it is listed."""

    spec: ClassVar = OperationSpec(
        "compose_music",
        "POST",
        "/universes/{universeId}/music",
        202,
        grant=Grant.SERVICE,
        services=True,
    )
    carries_out: ClassVar = GenerateMusic
