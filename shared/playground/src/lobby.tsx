// Who one is, and which universe to enter.
import { useState } from 'preact/hooks';
import { MAX_NAME_CHARACTERS, nameIn, read, universeIn } from './address.ts';
import { explain } from './explanations.ts';
import { bearer, call, CallError, guest, NoGuestsError, type Session } from './session.ts';
import { Mark } from './mark.tsx';

const NAME_KEY = 'harmonic-name';

export function Lobby({ onEnter }: { onEnter: (session: Session, universe: string) => void }) {
  const address = read(location.href);
  const [name, setName] = useState(address.name ?? localStorage.getItem(NAME_KEY) ?? '');
  const [universe, setUniverse] = useState(address.universe ?? '');
  const [token, setToken] = useState('');
  const [needsToken, setNeedsToken] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const session = (): Session | undefined => {
    if (needsToken) return token.trim() ? bearer(token.trim()) : undefined;
    const given = nameIn(name);
    if (given) localStorage.setItem(NAME_KEY, given);
    return given ? guest(given) : undefined;
  };

  const attempt = async (enter: (session: Session) => Promise<string>) => {
    const who = session();
    if (!who) return setProblem(needsToken ? 'Please bring a token.' : 'Please say your name.');
    setProblem('');
    setBusy(true);
    try {
      await who.current();
      onEnter(who, await enter(who));
    } catch (error) {
      setBusy(false);
      if (error instanceof NoGuestsError) setNeedsToken(true);
      setProblem(textOf(error));
    }
  };

  const create = () =>
    attempt(async who => {
      const settings = { name: `${nameIn(name) ?? 'Our'}’s universe`, visibility: 'public', publicMode: 'edit' };
      const made = await call<{ id: string }>(who, 'POST', '/universes', settings);
      return made.id;
    });
  const join = () => {
    const id = universeIn(universe);
    if (!id) return setProblem('Please name a universe, or paste its link.');
    void attempt(async () => id);
  };

  return (
    <main class="lobby">
      <Mark />
      <h1>Harmonic Universe</h1>
      <p class="lead">A universe to see, to hear and to change, together.</p>
      <form
        class="card"
        onSubmit={event => {
          event.preventDefault();
          join();
        }}
      >
        {needsToken ? (
          <label>
            <span>Token</span>
            <input value={token} onInput={event => setToken(event.currentTarget.value)} autocomplete="off" />
          </label>
        ) : (
          <label>
            <span>Your name</span>
            <input
              value={name}
              maxLength={MAX_NAME_CHARACTERS}
              onInput={event => setName(event.currentTarget.value)}
              autocomplete="nickname"
            />
          </label>
        )}
        <button type="button" class="primary" disabled={isBusy} onClick={create}>
          Start a new universe
        </button>
        <p class="or">
          <span>or</span>
        </p>
        <label>
          <span>Universe, or its link</span>
          <input
            value={universe}
            placeholder="universe-123"
            onInput={event => setUniverse(event.currentTarget.value)}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
          />
        </label>
        <button type="submit" disabled={isBusy}>
          Join
        </button>
        <p role="alert" class="problem">
          {problem}
        </p>
      </form>
    </main>
  );
}

function textOf(error: unknown): string {
  if (error instanceof NoGuestsError) return 'This server gives no tokens to guests: please bring one.';
  if (error instanceof CallError && error.reason) {
    const { title, text } = explain(error);
    return `${title}. ${text}`;
  }
  return error instanceof Error ? error.message : 'This did not work.';
}
