import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

/** Where the Python package keeps the built page; another folder for a build that only measures. */
const page = process.env.HANGTAG_PAGE ?? '../src/hangtag/server/page';
const server = process.env.HANGTAG_SERVER ?? 'http://127.0.0.1:8080';

/** What the service replaces by the path that it is reached under, as `/tags` behind a proxy; see server/page.py. */
const base = '/HANGTAG_BASE_PATH';

export default defineConfig(({ command }) => ({
  plugins: [
    sveltekit({
      adapter: adapter({ pages: page, fallback: 'index.html', precompress: true }),
      compilerOptions: { runes: true },
      // The same sources give the same files: no clock in the build, no poll for a newer one.
      version: { name: process.env.npm_package_version ?? '0', pollInterval: 0 },
      paths: { base: command === 'build' ? base : '' },
    }),
    svelteTesting(),
  ],
  // light-dark() and friends are left as they are written.
  build: { cssTarget: ['chrome123', 'firefox120', 'safari17.5'] },
  server: { proxy: { '/api': server } },
  test: {
    environment: 'happy-dom',
    // One environment for all files: setting up one for each takes ten times as long as the tests.
    pool: 'threads',
    isolate: false,
    include: ['src/**/*.test.ts'],
    restoreMocks: true,
  },
}));
