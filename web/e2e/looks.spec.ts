import { gzipSync } from 'node:zlib';

import { BatchPage } from './batch-page.ts';
import { expect, expectNoComplaints, test } from './fixtures.ts';

test('nothing to complain about in any view', async ({ page }) => {
  test.slow();
  const batch = new BatchPage(page);
  const check = () => expectNoComplaints(page);
  await page.setViewportSize({ width: 1440, height: 900 });
  await batch.withSamples('Looks');
  await test.step('tags', check);
  await batch.tags.first().click();
  await test.step('selection', check);
  await page.keyboard.press('g');
  await expect(page.getByRole('listbox')).toBeVisible();
  await test.step('editing', check);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await batch.view('Table');
  await expect(page.getByRole('grid')).toBeVisible();
  await test.step('table', check);
  await batch.view('Review');
  await expect(page.getByText('1 of 8', { exact: true })).toBeVisible();
  await test.step('review', check);
  await page.goto('/');
  await expect(page.getByRole('link', { name: 'Looks' }).first()).toBeVisible();
  await test.step('start page', check);
});

test('the first photo stands in the first third of a phone, and twelve products fit on a desk', async ({
  page,
}) => {
  const batch = new BatchPage(page);
  // The second time hangtag says that it knows the photos.
  await batch.withSamples('Before');
  await batch.withSamples('Dense');
  await page.setViewportSize({ width: 360, height: 740 });
  await expect(page.getByText('8 products have been in hangtag before.')).toBeVisible();
  const photo = await batch.tags.first().locator('img').first().boundingBox();
  expect(photo?.y).toBeLessThan(740 / 3);
  await page.setViewportSize({ width: 1440, height: 900 });
  const tag = await batch.tags.first().boundingBox();
  const columns = Math.floor((1440 - 84 - 80 + 12) / ((tag?.width ?? 1) + 12));
  const rows = Math.floor((900 - (tag?.y ?? 900) + 12) / ((tag?.height ?? 1) + 12));
  expect(columns * rows).toBeGreaterThanOrEqual(12);
});

test('nothing jumps while a batch opens', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Still');
  await page.setViewportSize({ width: 360, height: 740 });
  await page.addInitScript(() => {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { value } = entry as PerformanceEntry & { value: number };
        (globalThis as unknown as { shift: number }).shift ??= 0;
        (globalThis as unknown as { shift: number }).shift += value;
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await page.reload();
  await expect(batch.tags.first()).toBeVisible();
  await page.waitForLoadState('networkidle');
  const shift = await page.evaluate(() => (globalThis as unknown as { shift?: number }).shift ?? 0);
  expect(shift).toBeLessThanOrEqual(0.05);
});

test('the theme can be chosen, and is remembered', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto('/');
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await paper();
  const button = page.getByRole('button', { name: /^Theme/ });
  await button.click();
  await button.click();
  await expect(button).toHaveAccessibleName(/^Theme: dark/i);
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
  await page.goto('/');
  await page.waitForLoadState('networkidle');
  const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  info.annotations.push({ type: 'JavaScript, gzipped', description: `${(total / 1000).toFixed(1)} kB` });
  expect(total).toBeGreaterThan(10_000);
  expect(total).toBeLessThan(150_000);
});
