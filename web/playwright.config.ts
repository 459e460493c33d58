import { defineConfig, devices } from '@playwright/test';

const port = process.env.HANGTAG_E2E_PORT ?? '8491';
const python = process.env.HANGTAG_PYTHON ?? '../.venv/bin/python';

/** The browser is the machine's own: nothing is downloaded. */
const chromium = {
  executablePath: process.env.HANGTAG_CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  timeout: 90_000, // a busy machine is no defect
  reporter: [['list']],
  expect: { timeout: 20_000 },
  use: {
    ...devices['Desktop Chrome'],
    locale: 'en-GB', // the language of the page follows the browser's
    baseURL: `http://127.0.0.1:${port}`,
    launchOptions: chromium,
  },
  webServer: {
    command: `${python} e2e/service.py ${port}`,
    url: `http://127.0.0.1:${port}/readyz`,
    timeout: 120_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 10_000 },
  },
});
