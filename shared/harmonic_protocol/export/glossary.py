"""What types and fields mean, for the documents, where their declarations leave it unsaid."""

from typing import Any

from harmonic_protocol.messages.audio import MAX_ATTACHMENT_BYTES

_KIB = 1024

TYPES = {
    "ColorScheme": "The name of a colour scheme: 1 to 32 letters, digits, `_` and `-`.",
    "Key": "A tonic, with sharps and flats.",
    "Mode": "What one may do in a room: `edit` includes `view`.",
    "Scale": "A scale; the names at the end of the list are aliases.",
    "Seed": "What a piece's chance decisions are drawn from.",
    "TypedArray": (
        f"A typed array of at most {MAX_ATTACHMENT_BYTES // _KIB} KiB, such as a `Uint8Array` or a"
        " `Float32Array`. It travels as a binary attachment of Socket.IO and is relayed byte for"
        " byte; the JSON text of the packet holds this placeholder in its stead."
    ),
    "Visibility": "Who may find and view a universe: anyone, or its owner and members only.",
}

#: By ``Type.field`` where a field's meaning depends on its type, else by the field's name.
FIELDS = {
    "_placeholder": "Marks the place of an attachment.",
    "airResistance": "How much the air slows things down. In music it narrows the pitch range.",
    "analysis": "What is heard.",
    "Analysis.timestamp": "The sender's own time of the analysis, relayed as it is.",
    "audioMessageBytes": "The most bytes that one `audio_analysis` may take.",
    "brightness": "How bright the universe is.",
    "changed": "The names of the fields that were sent, in this update, to be changed.",
    "complexity": "How intricate the picture is.",
    "createdAt": "When the universe was created.",
    "data": "What clients see as `err.data`.",
    "details": "What a program needs to know: see the section on errors.",
    "elasticity": "How far things bounce. In music it livens the rhythm.",
    "error": "What went wrong, for a person.",
    "Failure.error": "Why the request is refused.",
    "Rejected.error": "Why the command is refused.",
    "expiresAt": "When the token expires.",
    "frequencies": "The spectrum, as numbers or as a typed array; `null` is silence.",
    "friction": "How much surfaces slow things down. In music it governs the consonance.",
    "glowIntensity": "How strongly things glow.",
    "gravity": "How strongly things fall. In music it pulls the tempo.",
    "harmony": "How consonant the music is.",
    "items": "The universes of this page.",
    "limits": "The bounds of this connection.",
    "maxParticipants": "How many users may be in the room at the same time.",
    "melodyRange": "How wide the melody's range is.",
    "members": "The members' roles by user id; only the owner is told.",
    "message": "What went wrong, for a person.",
    "ConnectError.message": "What clients see as `err.message`.",
    "messageBytes": "The most bytes that one message may take, `audio_analysis` excepted.",
    "messageDepth": "How many levels deep a message may nest objects and lists.",
    "JoinRoom.mode": "The mode that one wants; editing may be refused, with `details.allowedMode`.",
    "RoomJoined.mode": "The mode that this connection is in.",
    "Participant.mode": "The highest of the modes of the user's connections.",
    "Universe.name": "The universe's name.",
    "UniverseSummary.name": "The universe's name.",
    "nextCursor": "The `cursor` that asks for the next page; absent on the last one.",
    "notes": "The piece, sorted by `startTime`.",
    "num": "Which of the packet's attachments it is.",
    "Accepted.ok": "The command was carried out.",
    "SignalAccepted.ok": "The signal was passed on.",
    "Rejected.ok": "The command was refused.",
    "Note.duration": "How long the note sounds, in seconds.",
    "owner": "The user who created the universe.",
    "parameters": "The parameters that are to change.",
    "PhysicsUpdated.parameters": "All physics parameters as they are now.",
    "MusicUpdated.parameters": "All music parameters as they are now.",
    "VisualizationUpdated.parameters": "All visualization parameters as they are now.",
    "RoomJoined.parameters": "All parameters as of `seq`.",
    "Universe.parameters": "All parameters as they are now.",
    "participant": "Who it is, in which mode.",
    "participants": "Who is in the room, the caller included.",
    "Universe.participants": "How many users are in the room.",
    "particleCount": "How many particles are drawn.",
    "pitch": "The MIDI note number: 60 is middle C.",
    "protocol": "The version of this protocol, raised whenever a client could notice.",
    "publicMode": "What anyone may do in the universe while it is public.",
    "queuedCommands": "How many commands of this connection may wait to be carried out.",
    "recovered": "Whether an earlier session of this client goes on.",
    "requestId": "Names the piece; its MIDI file is found under it.",
    "rhythmComplexity": "How intricate the rhythm is.",
    "rooms": "How many rooms a connection may be in at the same time.",
    "saturation": "How strong the colours are.",
    "MusicGenerated.seed": "The seed of this piece: sent again, it gives the same notes.",
    "GenerateMusic.seed": "Makes the piece repeatable; without it one is drawn.",
    "seq": "Counts the frames that the members of the universe see: see the section on order.",
    "Universe.seq": "The `seq` of the universe's last frame.",
    "serverTime": "The server's clock.",
    "sessionId": "Names this connection, for support requests.",
    "startTime": "When the note begins, in seconds from the start of the piece.",
    "Health.status": "Always the same: whoever answers lives.",
    "Readiness.status": "Whether new work is taken: only while `ready`.",
    "tempo": "Beats a minute.",
    "timeScale": "How fast time passes. In music it scales the lengths of notes.",
    "updatedAt": "When the universe last changed.",
    "username": "The user's display name.",
    "velocity": "How hard the note is struck.",
    "waveform": "The samples, as numbers or as a typed array.",
    "RoomRefused.universeId": "The universe in question, if the command named one.",
}


def field(type_name: str, name: str, schema: dict[str, Any]) -> str | None:
    """The meaning of a type's field, if it is listed here or has to be.

    A reference to a described type may go without; anything else may not.
    """
    own = FIELDS.get(f"{type_name}.{name}")
    general = FIELDS.get(name)
    return own or (None if "$ref" in schema and general is None else general)
