"""Answers to API calls, with parts that the owner's reply lacks: files, links, events, streams."""

import json

from aiohttp import web

from harmonic_gateway.delivery.history import History
from harmonic_gateway.delivery.past import PastEvents
from harmonic_gateway.delivery.pieces import Pieces
from harmonic_gateway.http.event_streams import EventStreams
from harmonic_gateway.http.shown import ShownStates
from harmonic_gateway.identity.links import PieceLinks, StreamLinks, expiry
from harmonic_gateway.identity.proofs import Proofs
from harmonic_gateway.identity.verification import Identity
from harmonic_protocol.catalogue import ApiOperation
from harmonic_protocol.envelope import Reply
from harmonic_protocol.messages.declaration import JSON_TYPE
from harmonic_protocol.messages.following import (
    FollowUniverse,
    LinkStream,
    StreamAddress,
    stream_address,
)
from harmonic_protocol.messages.reading import (
    GetParticipants,
    ListEvents,
    ListMusic,
    LocatedParticipants,
    ParticipantList,
)
from harmonic_protocol.messages.services import CommandAccepted, CommandOperation
from harmonic_protocol.messages.universes import GetMusic
from harmonic_protocol.refusals import Code, Refused, refused
from harmonic_protocol.transient import NO_BUS
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.process.clock import Clock

_MUSIC_NOT_FOUND = refused(Code.NOT_FOUND, "Music not found")


class ApiAnswers:
    """Makes an operation's answer from the owner's reply and from data that is stored elsewhere."""

    def __init__(
        self,
        pieces: Pieces,
        history: History,
        shown: ShownStates,
        streams: EventStreams,
        *,
        proofs: Proofs,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._pieces = pieces
        self._links = PieceLinks(proofs, clock)
        self._stream_links = StreamLinks(proofs, clock)
        self._past = PastEvents(history)
        self._shown = shown

    def identify(
        self, operation: type[ApiOperation], request: web.Request
    ) -> Identity | Refused | None:
        """The identity of a request's link, or why it proves none; ``None`` without a link."""
        link = request.query.get("link")
        path = request.match_info
        if link is None:
            return None
        if operation is GetMusic:
            return self._links.identify(path["universeId"], path["requestId"], link)
        if operation is FollowUniverse:
            return self._stream_links.identify(path["universeId"], link)
        return None

    async def follow(
        self, request: web.Request, asked: FollowUniverse, identity: Identity
    ) -> web.StreamResponse | Refused:
        """Serve a universe's stream until it ends, or return why there is none."""
        # Owners of an earlier version do not know the field.
        return await self._streams.open(request, asked.model_copy(update={"link": None}), identity)

    async def answer(
        self, asked: ApiOperation, identity: Identity, reply: Reply
    ) -> web.StreamResponse | Refused:
        """The answer to an operation that the owner has carried out."""
        try:
            if isinstance(asked, GetMusic):
                return await self._midi(asked)
            if isinstance(asked, ListEvents):
                return _json(await self._past.page(asked, reply.seq or 0, reply.position or 0))
        except BusUnavailable:
            return NO_BUS
        if asked.answer is None:
            return web.Response(status=asked.spec.status)
        result = reply.result or {}
        if isinstance(asked, LinkStream):
            link, until_s = self._stream_links.make(asked.universe_id, identity)
            address = stream_address(asked.universe_id, link)
            result = StreamAddress(stream=address, expires_at=expiry(until_s)).to_wire()
        if isinstance(asked, CommandOperation):
            result = CommandAccepted(seq=reply.seq or 0).to_wire()
        if isinstance(asked, ListMusic):
            self._link(asked, identity, result)
        if isinstance(asked, GetParticipants):
            result = await self._with_states(asked, LocatedParticipants.model_validate(result))
        body = json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
        return _json(body, asked.spec.status)

    async def _midi(self, asked: GetMusic) -> web.StreamResponse | Refused:
        midi = await self._pieces.midi(asked.universe_id, asked.request_id)
        if midi is None:
            return _MUSIC_NOT_FOUND
        # Browsers save a file of another origin only if its answer says that it is an attachment.
        name = f'attachment; filename="{asked.request_id}.mid"'
        headers = {"Content-Disposition": name}
        return web.Response(body=midi, content_type=asked.spec.media_type, headers=headers)

    async def _with_states(
        self, asked: GetParticipants, located: LocatedParticipants
    ) -> dict[str, object]:
        states = await self._shown.of(asked.universe_id, located.gateways)
        items = tuple(
            each.model_copy(update={"state": states.get(each.user_id)}) for each in located.items
        )
        return ParticipantList(items=items).to_wire()

    def _link(self, asked: ListMusic, identity: Identity, result: dict[str, object]) -> None:
        until_s = self._links.expire_at()
        pieces = result["items"]
        if not isinstance(pieces, list):
            raise TypeError("a list of pieces has no items")
        for piece in pieces:
            link = self._links.make(
                *(asked.universe_id, piece["requestId"], identity.user_id, until_s),
                service=identity.service is not None,
            )
            piece["midi"] += f"?link={link}"
        result["linksExpireAt"] = expiry(until_s)


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type=JSON_TYPE)
