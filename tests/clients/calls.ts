// Calls the HTTP API with the types that openapi-typescript makes of its document.
import createClient from "openapi-fetch";

import type { components, paths } from "./.generated/api";

declare const process: { argv: string[] };

type Key = components["schemas"]["Key"];

const [, , baseUrl, token] = process.argv;
const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

function must<T>(data: T | undefined, error: unknown): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const made = await client.POST("/api/v1/universes", { body: { name: "Generated" } });
const universe = must(made.data, made.error);
const at = { universeId: universe.id };
const one = { params: { path: at } };

const renamed = await client.PATCH("/api/v1/universes/{universeId}", {
  ...one,
  body: { name: "Renamed", publicMode: "edit" },
});
const seen = must(renamed.data, renamed.error);
const sharp: Key = "C#";

const member = await client.PUT("/api/v1/universes/{universeId}/members/{userId}", {
  params: { path: { ...at, userId: "guest" } },
  body: { role: "view" },
});
const banned = await client.PUT("/api/v1/universes/{universeId}/bans/{userId}", {
  params: { path: { ...at, userId: "guest" } },
});
const events = await client.GET("/api/v1/universes/{universeId}/events", {
  params: { path: at, query: { after: 0, limit: 10 } },
});
const music = await client.GET("/api/v1/universes/{universeId}/music", one);
const present = await client.GET("/api/v1/universes/{universeId}/participants", one);
const gone = await client.DELETE("/api/v1/universes/{universeId}", one);
const missing = await client.GET("/api/v1/universes/{universeId}", one);

console.log(
  JSON.stringify({
    key: seen.parameters.music.key === sharp ? "C#" : seen.parameters.music.key,
    name: seen.name,
    role: must(member.data, member.error).role,
    banned: banned.response.status,
    events: must(events.data, events.error).items.map((item) => item.event),
    pieces: must(music.data, music.error).items.map((item) => item.key),
    present: must(present.data, present.error).items.map((item) => item.userId),
    gone: gone.response.status,
    missing: missing.error?.error.code,
  }),
);

// What the compiler has to refuse.
export type Role = components["schemas"]["SetMember"]["role"];
// @ts-expect-error -- no such key
export const flat: Key = "H";
// @ts-expect-error -- no such mode
export const admin: Role = "admin";
// @ts-expect-error -- there is nothing at this address
export const nowhere = (): unknown => client.GET("/api/v1/universe");
