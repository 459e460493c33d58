import { readFile } from 'node:fs/promises';

import { BatchPage } from './batch-page.ts';
import { expect, expectAccessible, expectNoComplaints, samplePhotos, test } from './fixtures.ts';
import { addressOf, LEARNING_PORT } from './services.ts';

// Learning counts the checks of all batches, and changes the labels of all: so no other spec shares this service.
test.use({ baseURL: addressOf(LEARNING_PORT), viewport: { width: 1440, height: 1800 } });
test.slow();
// All of it happens in one shop, one thing after another.
test.describe.configure({ mode: 'serial' });

test('hangtag learns from checks, says what changed, and takes it back', async ({ page }) => {
  const batch = new BatchPage(page);
  const samples = await samplePhotos(page);
  await page.request.patch('/api/v1/shop', { data: { enabled: true, learn_after: 10 } });
  // Fourteen of the first, of which the last two are left for learning; and all the others.
  const [shirt, ...others] = samples;
  const photos = [...Array.from({ length: 14 }, () => shirt), ...others].flatMap((photo, place) =>
    photo ? [{ ...photo, name: `IMG_${1000 + place}.png` }] : [],
  );
  await batch.bring(photos);
  await batch.labelled(21);
  const line = page.locator('.learn');
  await expect(line).toContainText('10 more checks and hangtag learns from them');
  await batch.tags.nth(14).click();
  await batch.tags.nth(20).click({ modifiers: ['Shift'] });
  await page.getByRole('button', { name: 'Confirm', exact: true }).click();
  await batch.tags.nth(0).click();
  await batch.tags.nth(11).click({ modifiers: ['Shift'] });
  await page.getByRole('button', { name: 'Set' }).click();
  await page.getByRole('menuitem', { name: 'Category' }).click();
  await batch.choose('capris');
  await page.keyboard.press('Escape');
  const left = [12, 13].map((place) => batch.tags.nth(place).locator('.title'));
  await expect(line).toContainText(/Learned from 1\d checks:/, { timeout: 60_000 });
  await expect(line).toContainText(/[1-9]\d* labels? changed/);
  for (const title of left) await expect(title).toContainText('Capri');
  await expectAccessible(page);
  await line.getByRole('button', { name: 'Undo' }).click();
  await expect(line).toContainText('Undone');
  for (const title of left) await expect(title).toContainText('T-shirts');
  // What people said stays.
  await expect(batch.tags.nth(0).locator('.title')).toContainText('Capri');
  await page.request.patch('/api/v1/shop', { data: { enabled: false } });
});

test('the shop shows its versions; one is used, rolled back and downloaded', async ({ page }) => {
  await page.goto('/shop?part=models');
  await page.getByRole('button', { name: 'Learn now' }).click();
  await expect(page.getByText('Learning started.')).toBeVisible();
  const newest = page.locator('.shop-version').first();
  await expect(newest.getByText('Candidate')).toBeVisible({ timeout: 60_000 });
  await expect(newest).toContainText('Photos of');
  await newest.getByRole('button', { name: 'Figures' }).click();
  await expect(newest.getByRole('region', { name: /Accuracy before and after/ })).toBeVisible();
  await expectAccessible(page);
  await newest.getByRole('button', { name: 'Use this version' }).click();
  await expect(newest.getByText('In use')).toBeVisible();
  const download = page.waitForEvent('download');
  await newest.getByRole('link', { name: 'Download' }).click();
  expect((await download).suggestedFilename()).toMatch(/\.onnx$/);
  await newest.getByRole('button', { name: 'Roll back' }).click();
  await expect(newest.getByRole('button', { name: 'Use this version' })).toBeVisible();
});

test('what to check next is asked one by one, and undone', async ({ page }) => {
  await page.goto('/');
  await page.locator('a[href*="/batches/"]').first().click();
  await page.getByRole('button', { name: 'What to check next' }).click();
  const place = page.locator('.review-view .count');
  await expect(place).toContainText('Product 1');
  const name = await page.getByRole('heading', { level: 2 }).innerText();
  await expectAccessible(page);
  await page.keyboard.press('Enter');
  await page.keyboard.press('u');
  await expect(page.getByRole('heading', { level: 2 })).toHaveText(name);
});

test('checks leave as a file and come back', async ({ page }) => {
  await page.goto('/shop?part=checks');
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download as CSV' }).click();
  const path = await (await download).path();
  await page
    .locator('input[type=file]')
    .last()
    .setInputFiles({
      name: 'checks.csv',
      mimeType: 'text/csv',
      buffer: await readFile(path),
    });
  await expect(page.getByText(/checks? applied|already the same/).first()).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Do your reviewers agree?' })).toBeVisible();
  await expectAccessible(page);
});

test('a class is made where it is needed, named, and stands in the taxonomy', async ({ page }) => {
  await page.goto('/');
  await page.locator('a[href*="/batches/"]').first().click();
  const title = page.locator('article.hangtag .title').nth(13);
  await title.click();
  await page.getByRole('combobox').fill('poncho');
  await page.getByRole('option', { name: /^Create “Poncho” in / }).click();
  await expect(title).toContainText('Poncho');
  await page.goto('/shop?part=classes');
  await page.getByRole('button', { name: /^Poncho/ }).click();
  await page.getByLabel('German').fill('Umhänge');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expectAccessible(page);
  const taxonomy = await (await page.request.get('/api/v1/taxonomy')).json();
  expect(taxonomy.names.de.articleType.Poncho).toBe('Umhänge');
});

test('nothing to complain about in the shop', async ({ page }) => {
  await page.goto('/shop');
  await page.getByRole('radio', { name: 'Models' }).waitFor();
  await expectNoComplaints(page);
});
