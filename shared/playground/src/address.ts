// What the page's address says, and how to write it. Pure.

/** Where to go, as whom: `token` comes in the fragment, which browsers send to nobody. */
export interface Address {
  readonly universe: string | undefined;
  readonly name: string | undefined;
  readonly token: string | undefined;
}

const UNIVERSE_ID = /^[A-Za-z0-9_-]{1,64}$/;
export const MAX_NAME_CHARACTERS = 64;

/** What an address of the page says. */
export function read(href: string): Address {
  const { searchParams, hash } = new URL(href);
  return {
    universe: universeIn(searchParams.get('universe') ?? ''),
    name: nameIn(searchParams.get('name') ?? ''),
    token: new URLSearchParams(hash.slice(1)).get('token') ?? undefined,
  };
}

/** The id in a text that is one, or a link to one. */
export function universeIn(text: string): string | undefined {
  const said = text.trim();
  const id = URL.canParse(said) ? (new URL(said).searchParams.get('universe') ?? '') : said;
  return UNIVERSE_ID.test(id) ? id : undefined;
}

/** A name that one may have. */
export function nameIn(text: string): string | undefined {
  return text.trim().slice(0, MAX_NAME_CHARACTERS) || undefined;
}

/** The address that others join a universe by; with a name, one's own. */
export function linkTo(origin: string, universe: string, name?: string): string {
  const link = new URL('/', origin);
  link.searchParams.set('universe', universe);
  if (name) link.searchParams.set('name', name);
  return link.href;
}
