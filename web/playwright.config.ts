import { defineConfig, devices } from '@playwright/test';

import { addressOf, LEARNING_PORT, PORT } from './e2e/services.ts';

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
    baseURL: addressOf(PORT),
    launchOptions: chromium,
  },
  webServer: [PORT, LEARNING_PORT].map((port) => ({
    command: `${python} e2e/service.py ${port}`,
    url: `${addressOf(port)}/readyz`,
    timeout: 120_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 10_000 },
  })),
});
