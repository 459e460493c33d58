import { gzipSync } from 'node:zlib';

import type { Page } from '@playwright/test';

import { expect, expectAccessible, expectNoSidewaysScroll, samplePhotos, test } from './fixtures.ts';
import { blank, broken, TrayPage } from './tray.ts';

/** Every state of Classify, each as it is reached from the one before. */
const states: readonly [string, (tray: TrayPage) => Promise<void>][] = [
  [
    'empty',
    async (tray) => {
      await tray.open();
      // The samples fade in once they are known.
      await expect(tray.page.getByRole('button', { name: /^Try the sample/ }).first()).toBeVisible();
    },
  ],
  ['many tags', (tray) => tray.withSamples([broken, blank])],
  [
    'editing',
    async ({ page, tags }) => {
      await tags.first().focus();
      await page.keyboard.press('Enter');
      await expect(page.getByRole('listbox')).toBeVisible();
    },
  ],
  ['probabilities', (tray) => openByKey(tray, 'd', 'Category')],
  ['comparison', (tray) => openByKey(tray, 'c', 'doubter')],
  ['keys', (tray) => openByKey(tray, '?', 'Compare models')],
  ['models', (tray) => tray.page.getByRole('button', { name: /^Model/ }).click()],
];

async function openByKey({ page, tags }: TrayPage, key: string, text: string) {
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await tags.first().focus();
  await page.keyboard.press(key);
  await expect(page.getByRole('dialog').getByText(text).first()).toBeVisible();
}

async function walk(page: Page) {
  const tray = new TrayPage(page);
  for (const [name, reach] of states) {
    if (name === 'models') await page.keyboard.press('Escape');
    await test.step(name, async () => {
      await reach(tray);
      await expectNoSidewaysScroll(page);
      await expectAccessible(page);
    });
  }
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`nothing to complain about on a desk, ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme });
    await walk(page);
  });

  test(`nothing to complain about on a phone, ${colorScheme}`, async ({ page }) => {
    test.slow();
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width: 360, height: 740 });
    await walk(page);
  });
}

for (const width of [1440, 360])
  test(`a long file name stays within its tag at ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height: 900 });
    const tray = new TrayPage(page);
    const name = `${'long-name-'.repeat(6)}.png`;
    await tray.open();
    const [photo = broken] = await samplePhotos(page);
    await tray.choose([
      { ...photo, name },
      { ...broken, name: `broken-${name}` },
    ]);
    await tray.settled();
    for (const tag of [tray.tag(name), tray.tag(`broken-${name}`)]) {
      const overhang = await tag.evaluate((element) => {
        const right = element.getBoundingClientRect().right;
        const parts = [...element.querySelectorAll('*')].map((part) => part.getBoundingClientRect().right);
        return Math.max(...parts) - right;
      });
      expect(overhang).toBeLessThanOrEqual(0);
    }
  });

test('a phone has one column, its places at the bottom, and the camera', async ({ browser, baseURL }) => {
  const context = await browser.newContext({
    baseURL: baseURL ?? '',
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
  });
  const tray = new TrayPage(await context.newPage());
  await tray.open();
  await expect(tray.page.getByRole('button', { name: 'Take a photo' })).toBeVisible();
  await expect(tray.page.locator('input[capture=environment]')).toHaveCount(1);
  await tray.withSamples();
  await expect(tray.page.locator('.line').first().locator('article')).toHaveCount(1);
  const places = await tray.page.getByRole('navigation', { name: 'Places' }).boundingBox();
  expect(places?.y).toBeGreaterThan(600);
  await context.close();
});

test('the theme can be chosen, and is remembered', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  const tray = new TrayPage(page);
  await tray.open();
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await paper();
  const button = page.getByRole('button', { name: /^Theme/ });
  await button.click();
  await button.click();
  await expect(button).toHaveAccessibleName(/^Theme: dark/);
  expect(await paper()).not.toBe(light);
  await page.reload();
  expect(await paper()).not.toBe(light);
});

test('the first load stays under 150 kB of JavaScript', async ({ page }, info) => {
  const sizes: Promise<number>[] = [];
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script')
      sizes.push(response.body().then((body) => gzipSync(body).length));
  });
  await new TrayPage(page).open();
  await page.waitForLoadState('networkidle');
  const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  info.annotations.push({ type: 'JavaScript, gzipped', description: `${(total / 1000).toFixed(1)} kB` });
  expect(total).toBeGreaterThan(10_000);
  expect(total).toBeLessThan(150_000);
});
