import { AxeBuilder } from '@axe-core/playwright';
import { expect, test as base, type Locator, type Page } from '@playwright/test';

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

/** Fails where axe finds anything against WCAG 2.2 AA or its own good practice. */
export async function expectAccessible(page: Page): Promise<void> {
  // What fades in has its contrast when it is there.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations } = await new AxeBuilder({ page }).options({ preload: false }).withTags(tags).analyze();
  const found = violations.map(
    ({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ html }) => html).join(' | ')})`,
  );
  expect(found).toEqual([]);
}

/**
 * Scrolls something into view, and waits until it stands still. Lists draw their rows when they come near the window, and
 * these push others about: a click in that moment lands beside what it was meant for, which is too soon for a person.
 */
export async function show(shown: Locator): Promise<void> {
  await shown.scrollIntoViewIfNeeded();
  await shown.evaluate(async (element) => {
    let [still, before] = [0, Number.NaN];
    while (still < 5) {
      await new Promise(requestAnimationFrame);
      const { top } = element.getBoundingClientRect();
      still = top === before ? still + 1 : 0;
      before = top;
    }
  });
}

/** Clicks on something in a list that is drawn as it is scrolled. */
export async function press(button: Locator): Promise<void> {
  await show(button);
  await button.click();
}

/** Fails where the page is wider than its window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
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
