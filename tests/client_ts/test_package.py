"""The package as others install it: its example runs, its types are strict, and it is small."""

import json
import re
from pathlib import Path

import pytest

from client_ts.conftest import CLIENT, TSC, Run, build_client, use
from harness.world import World

#: What the client may add to the official one, in bytes, compressed; with the hooks.
MAX_ADDED_BYTES = 8 * 1024
#: What is left of the client, the official one included, where only an error class is used.
MAX_SHAKEN_BYTES = 512

#: What the example of the README takes from its page.
PRELUDE = """
const plan: { gateways: string[]; universe: string; tokens: Record<string, string> } = JSON.parse(
  process.argv[2] ?? '',
);
const fetchToken = async (): Promise<string> => plan.tokens['ann'] ?? '';
const shown: (Parameters | undefined)[] = [];
const show = (parameters: Parameters | undefined, people: readonly Participant[]): void => {
  if (people.length) shown.push(parameters);
};
const heard: number[] = [];
const play = (notes: Note[]): void => {
  heard.push(notes.length);
};
"""
#: What has to come of it.
EPILOGUE = """
while (!heard.length) await new Promise(resolve => setTimeout(resolve, 20));
const { physics, music } = shown.at(-1) as Parameters;
if (physics.gravity !== 3.7 || music.tempo !== 96) throw new Error(JSON.stringify(shown.at(-1)));
client.close();
"""
#: A page of React, which only has to compile.
PAGE = """
import { createClient, type PayloadOf } from '@harmonic-universe/client';
import { useClient, useParameter, useUniverse } from '@harmonic-universe/client/react';

const client = createClient({ url: '', getToken: () => '' });
export function Page(): string {
  const { universe, status } = useUniverse(client, 'universe-123', 'edit');
  const [tempo, setTempo, previewTempo] = useParameter(universe, 'music', 'tempo');
  const [key, setKey] = useParameter(universe, 'music', 'key');
  setTempo(90);
  previewTempo(91);
  setKey('F#');
  // @ts-expect-error: no such key
  setKey('H');
  // @ts-expect-error: no such parameter
  void universe.set({ physics: { mass: 1 } });
  // @ts-expect-error: no such event
  universe.on('gravity_updated', () => undefined);
  // @ts-expect-error: what the client calls itself is no part of it
  universe.heard('room_joined', {});
  const request: PayloadOf<'generate_music'> = { universeId: universe.id, duration: 8 };
  return `${useClient(client).quality} ${status} ${tempo?.toFixed()} ${key} ${request.duration}`;
}
"""


@pytest.fixture
async def project(tmp_path: Path, run_node: Run) -> Path:
    """A project that has the package installed, and what the package asks it for."""
    await build_client(tmp_path, run_node)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = {"strict": True, "noEmit": True, "target": "es2022", "module": "nodenext"}
    options |= {"skipLibCheck": False, "types": ["node"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options}))
    return tmp_path


async def test_the_example_of_the_readme_runs_and_pages_compile(
    project: Path, world: World, run_node: Run
) -> None:
    example = re.findall(r"```ts\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)[0]
    imports, _, rest = example.partition("\n\n")
    types = "import type { Note, Parameters, Participant } from '@harmonic-universe/client';"
    rest = rest.replace("'https://example.org'", "plan.gateways[0] ?? ''")
    rest = rest.replace("'universe-123'", "plan.universe")
    (project / "example.ts").write_text(f"{types}\n{imports}\n{PRELUDE}\n{rest}\n{EPILOGUE}")
    (project / "page.ts").write_text(PAGE)

    await run_node(TSC, "--project", project)
    await use(world, run_node, project / "example.ts")


async def test_it_adds_little_to_the_official_client(run_node: Run) -> None:
    sizes = json.loads(await run_node(Path(__file__).with_name("size.mjs")))

    assert sizes["withReact"] <= MAX_ADDED_BYTES
    assert sizes["shaken"] <= MAX_SHAKEN_BYTES
