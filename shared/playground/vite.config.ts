// How the page is built: into the gateway's package, which serves it.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
// In development the page is Vite's, and all else a gateway's that runs here.
const gateway = process.env['GATEWAY'] ?? 'http://127.0.0.1:8000';

export default defineConfig({
  // Beside this folder's packages: the client's sources have their own.
  resolve: {
    alias: {
      '@harmonic-universe/client': here('../client-ts/src/index.ts'),
      'socket.io-client': here('node_modules/socket.io-client'),
    },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: here('../../gateway/harmonic_gateway/playground'),
    emptyOutDir: true,
    target: 'es2022',
    // Every file is a file: the page's policy lets nothing else be code, style or picture.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': gateway,
      '/guest-tokens': gateway,
      '/ws': { target: gateway, ws: true },
      '/socket.io': { target: gateway, ws: true },
    },
  },
});
