import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { AxeBuilder } from '@axe-core/playwright';
import { expect, test as base, type Page } from '@playwright/test';

export { expect };

export interface NamedFile {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

interface Fixtures {
  /** What a browser may complain about in this test; anything else that it says makes the test fail. */
  tolerated: RegExp[];
  complaints: string[];
}

export const test = base.extend<Fixtures>({
  tolerated: [[], { option: true }],
  complaints: [
    async ({ page, tolerated }, use) => {
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
      });
      await use(complaints);
      expect(complaints.filter((text) => !tolerated.some((pattern) => pattern.test(text)))).toEqual([]);
    },
    { auto: true },
  ],
});

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** A desk, a tablet, a phone. */
const SIZES = [
  { width: 1440, height: 900 },
  { width: 768, height: 1024 },
  { width: 360, height: 740 },
];

/**
 * Fails where axe finds anything against WCAG 2.2 AA or its own good practice, or where the page is wider than its
 * window: at each size, in light and in dark. The window is then as large as before.
 */
export async function expectNoComplaints(page: Page, sizes = SIZES): Promise<void> {
  const before = page.viewportSize();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const size of sizes) {
      await page.setViewportSize(size);
      await expectNoSidewaysScroll(page);
      await expectAccessible(page);
    }
  }
  if (before) await page.setViewportSize(before);
}

/** Fails where axe finds anything. */
export async function expectAccessible(page: Page): Promise<void> {
  // What fades in has its contrast when it is there; some transitions never end in a browser without a screen.
  await page.evaluate(() => {
    const still = new CSSStyleSheet();
    still.replaceSync('*, ::before, ::after { transition: none !important; animation: none !important }');
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, still];
  });
  // The builder would send axe anew for every look, unminified, and sum up in a page of its own.
  await page.evaluate(`globalThis.axe ?? (() => { ${AXE} })()`);
  const { violations } = await new AxeBuilder({ page, axeSource: ';' })
    .setLegacyMode()
    .options({ preload: false, resultTypes: ['violations'], runOnly: RULES })
    .analyze();
  const found = violations.map(
    ({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ html }) => html).join(' | ')})`,
  );
  expect(found).toEqual([]);
}

/** Fails where the page is wider than its window. */
async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  expect(content).toBeLessThanOrEqual(window ?? 0);
}

/** The service's sample photos as files. */
export async function samplePhotos(page: Page): Promise<NamedFile[]> {
  const { photos } = (await (await page.request.get('/api/v1/samples')).json()) as { photos: string[] };
  return Promise.all(
    photos.map(async (name) => {
      const reply = await page.request.get(`/api/v1/samples/${name}`);
      return { name, mimeType: 'image/png', buffer: await reply.body() };
    }),
  );
}
