import { readFile } from 'node:fs/promises';

import { BatchPage } from './batch-page.ts';
import { expect, test } from './fixtures.ts';

test.use({ viewport: { width: 1440, height: 1400 } });
test.slow();

test('what is dropped becomes a batch that survives a reload and stands on the start page', async ({
  page,
}) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Delivery');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Delivery');
  await page.reload();
  await batch.labelled(8);
  await page.getByRole('link', { name: 'Batches' }).first().click();
  await expect(page.getByRole('link', { name: 'Delivery' }).first()).toBeVisible();
});

test('the old address of the jobs leads to the batches', async ({ page }) => {
  await page.goto('/jobs');
  await expect(page).toHaveURL(/:\d+\/$/);
});

test('many products are set at once, undone in one step, and kept', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Bulk');
  const winters = page.locator('.hangtag .chips').getByText('Winter');
  // What the model calls Winter itself is confirmed by the choice, not corrected.
  const already = await winters.count();
  expect(already).toBeLessThan(8);
  await batch.tags.first().click();
  await page.keyboard.press('Control+a');
  await expect(page.getByText('8 selected')).toBeVisible();
  await page.getByRole('button', { name: 'Set' }).click();
  await page.getByRole('menuitem', { name: 'Season' }).click();
  await batch.choose('winter');
  await expect(batch.state('Corrected')).toContainText(String(8 - already));
  await expect(winters).toHaveCount(8);
  await page.reload();
  await expect(winters).toHaveCount(8);
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await expect(batch.state('Corrected')).toContainText('0');
  await expect(winters).toHaveCount(already);
});

test('shift selects a range, and the bar goes when nothing is selected', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Range');
  await batch.tags.nth(1).click();
  await batch.tags.nth(4).click({ modifiers: ['Shift'] });
  await expect(page.getByText('4 selected')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('region', { name: 'Selection' })).toHaveCount(0);
});

test('a review goes through what is to check by keys alone', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Review');
  await batch.view('Review');
  await expect(page.getByText('1 of 8', { exact: true })).toBeVisible();
  await expect(batch.state('To check')).toHaveAttribute('aria-pressed', 'true');
  await expect(page.locator('.review-view')).toBeFocused();
  await page.keyboard.press('g');
  await page.keyboard.press('2');
  await page.keyboard.press('Enter');
  await expect(page.getByText('2 of 8', { exact: true })).toBeVisible();
  await page.keyboard.press('Enter');
  await page.keyboard.press('s');
  await expect(page.getByText('4 of 8', { exact: true })).toBeVisible();
  await expect(batch.state('Checked')).toContainText('1');
  await expect(batch.state('Corrected')).toContainText('1');
  await page.keyboard.press('u');
  await expect(page.getByText('2 of 8', { exact: true })).toBeVisible();
  await expect(batch.state('Checked')).toContainText('0');
});

test('filters stand in the address: reload and Back work', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Filter');
  await batch.tag('cap').or(batch.tags.first()).first().focus();
  await page.keyboard.press('y');
  await expect(batch.state('Checked')).toContainText('1');
  await batch.state('Checked').click();
  await expect(batch.tags).toHaveCount(1);
  expect(page.url()).toContain('state=checked');
  await page.reload();
  await expect(batch.tags).toHaveCount(1);
  await page.goBack();
  await expect(batch.tags).toHaveCount(8);
});

test('the table edits in its cells and takes a pasted column', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Table');
  await batch.view('Table');
  const cell = (row: number, column: string) =>
    page
      .locator(`[data-row="${row}"] [role=gridcell]`)
      .nth(['photo', 'name', 'state', 'category'].indexOf(column));
  await cell(0, 'category').click();
  await page.keyboard.press('Enter');
  await batch.choose('hoodie');
  await expect(cell(0, 'category')).toHaveText('Sweatshirts');
  await cell(1, 'category').click();
  await cell(1, 'category').evaluate((element) => {
    const data = new DataTransfer();
    data.setData('text/plain', 'Tshirts\nJeans\n');
    element.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
  });
  await expect(cell(1, 'category')).toHaveText('T-shirts');
  await expect(cell(2, 'category')).toHaveText('Jeans');
});

test('a second person sees a change, and where the first one is', async ({ page, browser }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Company');
  const context = await browser.newContext({ baseURL: new URL(page.url()).origin, locale: 'en-GB' });
  await context.addInitScript(() => localStorage.setItem('hangtag.person', 'Ben'));
  const other = new BatchPage(await context.newPage());
  await other.page.goto(page.url());
  await other.labelled(8);
  await other.tags.first().dblclick();
  await expect(batch.tags.first()).toContainText('Ben');
  await other.page.getByRole('dialog').getByRole('button', { name: 'Confirm' }).click();
  await expect(batch.state('Checked')).toContainText('1');
  await context.close();
});

test('one product in full: every probability, all models, what it looked at, comments', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Full');
  await batch.tags.first().dblclick();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Probabilities').click();
  await expect(dialog.getByRole('region', { name: 'Product type' })).toBeVisible();
  await dialog.getByText('Compare models').click();
  await expect(dialog.getByRole('columnheader', { name: /doubter/ })).toBeVisible();
  await dialog.getByText('Where it looked').click();
  await expect(dialog.getByRole('img', { name: /bright where it supports/ })).toBeVisible();
  await dialog.getByText('Comments').click();
  await dialog.getByRole('textbox').fill('Ask the supplier');
  await dialog.getByRole('button', { name: 'Send' }).click();
  await expect(dialog.getByText('Ask the supplier')).toBeVisible();
});

test('the export has what people decided', async ({ page }) => {
  const batch = new BatchPage(page);
  await batch.withSamples('Export');
  await batch.tags.first().focus();
  await page.keyboard.press('s');
  await batch.choose('winter');
  await expect(batch.state('Corrected')).toContainText('1');
  await page.getByRole('button', { name: 'Export' }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: 'Everything as CSV' }).click();
  const text = await readFile(await (await download).path(), 'utf8');
  expect(text.trim().split('\n')).toHaveLength(9);
  expect(text).toContain('Winter');
  expect(text).toContain('corrected');
});

test('one photo can be tried without storing it', async ({ page }) => {
  await page.goto('/try');
  await expect(page.locator('.answer .leaf')).toBeVisible();
  await expect(page.getByRole('region', { name: 'Colour' })).toBeVisible();
});
