// A Standard MIDI File, as far as counting its notes goes.

/** How many notes of pitched channels begin in a file. */
export function parseMidi(chunks: Uint8Array[]): { notes: number } {
  const bytes = Buffer.concat(chunks);
  let notes = 0;
  let at = 14;
  while (at < bytes.length) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    at += 8;
    let status = 0;
    const length = (): number => {
      let value = 0;
      for (;;) {
        const byte = bytes[at++] ?? 0;
        value = (value << 7) | (byte & 0x7f);
        if (byte < 0x80) return value;
      }
    };
    while (at < end) {
      length();
      if ((bytes[at] ?? 0) >= 0x80) status = bytes[at++] ?? 0;
      if (status === 0xff || status >= 0xf0) {
        if (status === 0xff) at += 1;
        const skipped = length();
        at += skipped;
        continue;
      }
      const kind = status & 0xf0;
      // The drums are on the tenth channel.
      if (kind === 0x90 && (bytes[at + 1] ?? 0) > 0 && (status & 0x0f) !== 9) notes += 1;
      at += kind === 0xc0 || kind === 0xd0 ? 1 : 2;
    }
    at = end;
  }
  return { notes };
}
