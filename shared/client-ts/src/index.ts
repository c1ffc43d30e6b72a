// Harmonic Universe in TypeScript: shared parameters, people, music and a common clock.
export { createClient, type Client } from './client.ts';
export { RefusedError, UnansweredError } from './errors.ts';
export type { AcceptedOf, ClientOptions, ClientState, Clock } from './connection.ts';
export type { Quality } from './clock.ts';
export type { Changes, Presences, SetName } from './merge.ts';
export type { EventName } from './listeners.ts';
export type { MusicWish } from './endless.ts';
export type { Generation } from './generation.ts';
export type { PresenceState } from './presence.ts';
export type { Universe, UniverseState } from './universe.ts';
export type { Updated } from './updates.ts';
export { PARAMETERS } from '../../contract/protocol.ts';
export type * from '../../contract/protocol.ts';
