// The stage: particles, others' hands and what they hear; a pointer on it draws particles to itself.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Stage, type Drawn } from '../stage/stage.ts';
import { useWatched, type Watched } from '../watched.ts';
import type { Room } from './room.ts';

export function StageView({ room }: { room: Room }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const [stage, setStage] = useState<Stage>();
  useEffect(() => {
    if (!canvas.current || !overlay.current) return;
    const made = new Stage(canvas.current, overlay.current, room.scene);
    setStage(made);
    return () => made.close();
  }, [room]);

  const place = (event: PointerEvent, pulls: boolean) => {
    const { left, top, width, height } = (event.currentTarget as Element).getBoundingClientRect();
    const part = (value: number) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000;
    room.hold({ at: [part((event.clientX - left) / width), part(1 - (event.clientY - top) / height)], pulls: pulls || undefined });
  };
  const away = () => room.hold({ at: undefined, pulls: undefined });
  return (
    <div
      class="stage"
      onPointerDown={event => {
        // A finger that slides off the stage goes on pulling.
        if (event.pointerType !== 'touch') event.currentTarget.setPointerCapture(event.pointerId);
        place(event, true);
      }}
      onPointerMove={event => place(event, event.buttons > 0)}
      onPointerUp={event => (event.pointerType === 'touch' ? away() : place(event, false))}
      onPointerLeave={away}
      onPointerCancel={away}
    >
      <canvas ref={canvas} role="img" aria-label="The universe: particles moved by its physics" />
      <canvas ref={overlay} aria-hidden="true" />
      {stage && <Amount drawn={stage.drawn} />}
    </div>
  );
}

const grouped = (number: number): string => number.toLocaleString('en');

function Amount({ drawn }: { drawn: Watched<Drawn> }) {
  const { particles, wanted, framesPerS } = useWatched(drawn, state => state);
  if (!wanted) return null;
  const all = `${grouped(wanted)} particles`;
  return (
    <p class="amount" data-frames-per-s={framesPerS}>
      {particles < wanted ? `${grouped(particles)} of ${all} drawn` : all}
    </p>
  );
}
