// The sizes, compressed and in bytes, of programs that esbuild makes of the modules that are named.
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

const require = createRequire(`${process.cwd()}/package.json`);
const { buildSync } = require('esbuild');

function size(code) {
  const { outputFiles } = buildSync({
    stdin: { contents: code, resolveDir: process.cwd() },
    bundle: true,
    external: ['react'],
    format: 'esm',
    logLevel: 'error',
    minify: true,
    platform: 'browser',
    write: false,
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const official = size("export { io } from 'socket.io-client';");
console.log(
  JSON.stringify({
    client: size("export { createClient } from './src/index.ts';") - official,
    withReact: size("export * from './src/index.ts'; export * from './src/react.ts';") - official,
    // Of which nothing but a type or a class is used.
    shaken: size("export { RefusedError } from './src/index.ts';"),
  }),
);
