import { readFile } from 'node:fs/promises';

import type { Page } from '@playwright/test';

import {
  expect,
  expectAccessible,
  expectNoSidewaysScroll,
  samplePhotos,
  test,
  type NamedFile,
} from './fixtures.ts';

const broken = { name: 'broken.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no photo at all') };

// Jobs are labelled one after the other: side by side, these tests would only wait for each other.
test.describe.configure({ mode: 'default' });
// Results are drawn where they are in view: this window is high enough for all of a small batch.
test.use({ viewport: { width: 1280, height: 2400 } });

/** Starts a batch of the sample photos, as often as asked for, and ends on its page. */
async function start(page: Page, title: string, { times = 1, more = [] as NamedFile[] } = {}): Promise<void> {
  await page.goto('/jobs');
  const samples = await samplePhotos(page);
  const photos = Array.from({ length: times }, (_, round) =>
    samples.map((photo) => ({ ...photo, name: `${round}-${photo.name}` })),
  ).flat();
  await page.locator('input[type=file]').setInputFiles([...photos, ...more]);
  await page.getByRole('textbox', { name: 'Name' }).fill(title);
  await page.getByRole('button', { name: 'Start labelling' }).click();
  await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible();
}

const done = (page: Page) =>
  expect(page.getByText('Done.', { exact: true })).toBeVisible({ timeout: 60_000 });
const rows = (page: Page) => page.getByRole('list', { name: 'Results' }).locator('[data-index]');

test('a batch is labelled, summed up, filtered and downloaded', async ({ page }) => {
  await start(page, 'Spring delivery', { more: [broken] });
  await done(page);
  await expect(page.getByText('1 photo could not be read')).toBeVisible();
  await expect(page.getByText('9 photos', { exact: true })).toBeVisible();
  await page.getByRole('radio', { name: 'Not labelled' }).check();
  await expect(rows(page)).toHaveCount(1);
  await expect(rows(page)).toContainText('No label: not a photo');
  await page.getByRole('radio', { name: 'All', exact: true }).check();
  await page.getByRole('button', { name: /^Show all/ }).click();
  await page.getByRole('button', { name: /^Tshirts 1 photo/ }).click();
  await expect(rows(page)).toHaveCount(1);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('Spring delivery.csv');
  expect((await readFile(await download.path(), 'utf-8')).trim().split('\n')).toHaveLength(10);
});

test('a label is corrected, by keyboard, and stays', async ({ page }) => {
  await start(page, 'To be corrected');
  await done(page);
  const row = rows(page).filter({ hasText: 'tshirt.png' });
  await row.getByRole('button', { name: /^Change/ }).focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Edit labels' });
  await expectAccessible(page);
  await dialog.getByRole('combobox', { name: 'Category' }).fill('sandal');
  await page
    .getByRole('option', { name: /^Sandals/ })
    .first()
    .click();
  await expect(row).toContainText('Footwear');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await page.reload();
  await expect(rows(page).filter({ hasText: 'tshirt.png' })).toContainText('Sandals');
  await expect(rows(page).filter({ hasText: 'tshirt.png' })).toContainText('set by you');
});

test('the list follows its filter when a correction is done', async ({ page }) => {
  await start(page, 'Filtered and corrected');
  await done(page);
  await page.getByRole('button', { name: /^Show all/ }).click();
  await page.getByRole('button', { name: /^Tshirts 1 photo/ }).click();
  await expect(rows(page)).toHaveCount(1);
  await rows(page).getByRole('button').click();
  const dialog = page.getByRole('dialog', { name: 'Edit labels' });
  await dialog.getByRole('group', { name: 'Best guesses' }).getByRole('button').nth(1).click();
  await expect(rows(page)).toContainText('set by you');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText('No photos match. Clear the filter.')).toBeVisible();
});

test('a late answer neither opens the editor again nor changes its photo', async ({ page }) => {
  await start(page, 'With late answers');
  await done(page);
  const held: (() => void)[] = [];
  await page.route(/\/results\/\d+$/, async (route) => {
    await new Promise<void>((resolve) => held.push(resolve));
    await route.continue();
  });
  const dialog = page.getByRole('dialog', { name: 'Edit labels' });
  const photo = dialog.getByRole('img');
  const change = (name: string) => rows(page).filter({ hasText: name }).getByRole('button').click();
  const guess = () => dialog.getByRole('group', { name: 'Best guesses' }).getByRole('button').nth(1);
  const answer = () => page.waitForResponse(/\/results\/\d+$/);

  await change('tshirt.png');
  const said = page.waitForRequest(/\/results\/\d+$/);
  await guess().click();
  const { labels } = (await said).postDataJSON() as { labels: Record<string, string> };
  expect(Object.keys(labels)).toEqual(['masterCategory', 'subCategory', 'articleType']);
  await dialog.getByRole('button', { name: 'Done' }).click();
  let late = answer();
  held.pop()?.();
  await late;
  await expect(rows(page).filter({ hasText: 'tshirt.png' })).toContainText('set by you');
  await expect(dialog).toBeHidden();

  const [one, other] = await Promise.all([rows(page).nth(0).innerText(), rows(page).nth(1).innerText()]);
  const [first = '', second = ''] = [one, other].map((text) => /\S+\.png/.exec(text)?.[0]);
  await change(first);
  await guess().click();
  await page.keyboard.press('Escape');
  await change(second);
  late = answer();
  held.pop()?.();
  await late;
  await expect(rows(page).filter({ hasText: first })).toContainText('set by you');
  await expect(photo).toHaveAttribute('alt', second);
});

test('a correction that failed is said of its own photo only', async ({ page, tolerated }) => {
  tolerated.push(/Failed to load resource/);
  await start(page, 'With a failure');
  await done(page);
  await page.route(/\/results\/\d+$/, (route) => route.abort());
  const dialog = page.getByRole('dialog', { name: 'Edit labels' });
  await rows(page).nth(0).getByRole('button').click();
  await dialog.getByRole('group', { name: 'Best guesses' }).getByRole('button').nth(1).click();
  await expect(dialog.getByRole('alert')).toContainText('The service isn’t responding');
  await page.keyboard.press('Escape');
  await rows(page).nth(1).getByRole('button').click();
  await expect(dialog.getByRole('img')).toBeVisible();
  await expect(dialog.getByRole('alert')).toHaveCount(0);
});

test('arrow keys go from result to result', async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 720 }); // in which the list scrolls
  await start(page, 'With the keyboard');
  await done(page);
  await page.getByRole('list', { name: 'Results' }).scrollIntoViewIfNeeded();
  await expect(rows(page).first()).toHaveAttribute('aria-setsize', '8'); // done before all results are here
  const first = rows(page).first().getByRole('button');
  await first.focus();
  await expect(first).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(rows(page).nth(1).getByRole('button')).toBeFocused();
});

test('arrow keys step over a photo without a label', async ({ page }) => {
  const [photo = broken] = await samplePhotos(page);
  await start(page, 'With a gap', { more: [broken, { ...photo, name: 'last.png' }] });
  await done(page);
  await expect(rows(page)).toHaveCount(10);
  await rows(page).nth(7).getByRole('button').focus();
  await page.keyboard.press('ArrowDown');
  await expect(rows(page).nth(9).getByRole('button')).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(rows(page).nth(7).getByRole('button')).toBeFocused();
});

test('a running batch survives a reload, can be cancelled and deleted', async ({ page }) => {
  await start(page, 'A long one', { times: 60 });
  await expect(page.getByRole('progressbar')).toBeVisible();
  await page.reload();
  await expect(page.getByRole('progressbar')).toBeVisible();
  await expect(page.getByRole('progressbar')).not.toHaveAttribute('aria-valuenow', '0');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('Cancelled.', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Delete…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete this batch?' });
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page).toHaveURL(/\/jobs$/);
  await expect(page.getByRole('link', { name: 'A long one' })).toHaveCount(0);
});

test('the list follows a batch without a reload', async ({ page }) => {
  await start(page, 'Watched from the list', { times: 5 });
  await page.getByRole('navigation', { name: 'Up' }).getByRole('link').click();
  const card = page.getByRole('article').filter({ hasText: 'Watched from the list' });
  await expect(card).toContainText('Done: 40 photos', { timeout: 60_000 });
});

test('a batch that is deleted elsewhere is not shown any more', async ({ page, tolerated }) => {
  tolerated.push(/404/);
  await start(page, 'Deleted elsewhere');
  await done(page);
  await page.reload(); // a batch that is done is asked for once
  await expect(rows(page).first()).toContainText('.png');
  await page.request.delete(page.url().replace('/jobs/', '/api/v1/jobs/'));
  await page.getByRole('radio', { name: 'Flagged' }).click(); // goes with the batch, so that nobody can see it checked
  await expect(page.getByRole('alert')).toContainText('This batch doesn’t exist.');
  await expect(rows(page)).toHaveCount(0);
});

test('a batch that is cancelled before its turn says that nothing was labelled', async ({ page }) => {
  await start(page, 'Before it', { times: 60 });
  const before = page.url();
  await start(page, 'Never begun');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('No photos were labelled.')).toBeVisible();
  await page.goto(before);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText('Cancelled.', { exact: true })).toBeVisible();
});

test('what is in doubt is what it is in Classify: the category, or an attribute alone', async ({ page }) => {
  await start(page, 'In doubt');
  await done(page);
  const total = async (name: string): Promise<number> => {
    const answer = page.waitForResponse(/\/results\?.*status=/);
    await page.getByRole('radio', { name, exact: true }).check();
    return ((await (await answer).json()) as { total: number }).total;
  };
  const [look, attributes] = [await total('To check'), await total('Attributes to check')];
  const all = await page.request.get(page.url().replace('/jobs/', '/api/v1/jobs/') + '/results');
  const { results } = (await all.json()) as { results: { answer: string[]; doubtful: string[] }[] };
  const unsure = results.filter(({ answer }) => answer.length < 3);
  expect(look).toBe(unsure.length);
  expect(attributes).toBe(results.filter(({ doubtful }) => doubtful.length > 0).length - unsure.length);
});

test('a batch that is not there is said so', async ({ page, tolerated }) => {
  tolerated.push(/404/);
  await page.goto('/jobs/nothing');
  await expect(page.getByRole('alert')).toBeVisible();
  await expectAccessible(page);
});

for (const [place, width] of [
  ['a desk', 1440],
  ['a phone', 360],
] as const) {
  test(`nothing to complain about on ${place}, light and dark`, async ({ page }) => {
    test.slow();
    await page.setViewportSize({ width, height: 800 });
    await start(page, `Looked at on ${place}`, { more: [broken] });
    await done(page);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await expectNoSidewaysScroll(page);
      await expectAccessible(page);
    }
    await page.goto('/jobs');
    await expect(page.getByRole('article').first()).toBeVisible();
    await expectNoSidewaysScroll(page);
    await expectAccessible(page);
  });
}
