// Bundle a program of React for Node: `bundle.mjs PROGRAM TARGET`.
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/package.json`);
const [program, target] = process.argv.slice(2);

require('esbuild').buildSync({
  bundle: true,
  entryPoints: [program],
  logLevel: 'error',
  outfile: target,
  platform: 'node',
});
