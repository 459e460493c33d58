import { BatchPage } from './batch-page.ts';
import { expect, expectNoComplaints, test } from './fixtures.ts';

const EXAMPLE = 'Artikelnummer;Farbe;Geschlecht;Preis\n007;Marine;H;9,50\n008;Weiß;D;12,25\n';

test('an example of a sheet becomes a template, and exports a batch after a look at every row', async ({
  page,
}) => {
  test.slow();
  const batch = new BatchPage(page);
  await batch.withSamples('For the shop');
  const address = page.url();
  await page.goto('/shop/templates');
  const chosen = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'From an example of your sheet' }).click();
  await (await chosen).setFiles({ name: 'Herbst.csv', mimeType: 'text/csv', buffer: Buffer.from(EXAMPLE) });
  await expect(page.getByRole('heading', { name: 'Herbst', level: 1 })).toBeVisible();
  await expect(page.getByRole('textbox', { name: 'Column', exact: true })).toHaveCount(4);
  await page.getByRole('textbox', { name: 'Column', exact: true }).nth(1).fill('Farbe neu');
  await page.getByRole('button', { name: 'Move Farbe neu up' }).click();
  await page.getByText('More about Geschlecht').click();
  await expect(page.getByLabel('Replace values').nth(2)).toHaveValue(/Herren = H/);
  await test.step('the editor', () => expectNoComplaints(page));
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible();
  await page.goto(address);
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  await page.getByRole('menuitem', { name: 'For a shop or channel…' }).click();
  await page.getByRole('combobox', { name: 'Template', exact: true }).selectOption({ label: 'Herbst' });
  await expect(page.getByText('8 products go into the file.')).toBeVisible();
  await expect(page.getByRole('columnheader').filter({ hasText: 'Farbe neu' })).toBeVisible();
  await test.step('the dialog', () => expectNoComplaints(page));
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  expect((await saved).suggestedFilename()).toBe('For the shop Herbst.csv');
});

test('categories are pasted, matched by name and mapped by hand', async ({ page }) => {
  test.slow();
  await page.goto('/shop/templates');
  await expect(page.getByRole('button', { name: 'New mapping' })).toBeVisible();
  await test.step('the lists', () => expectNoComplaints(page));
  await page.getByRole('button', { name: 'New mapping' }).click();
  await page.getByLabel('Name').fill('Our own');
  await page.getByLabel(/Your categories, one per line/).fill('Women > T-shirts\nShoes\nSale');
  await page.getByRole('button', { name: 'Match by name' }).click();
  await expect(page.getByRole('heading', { name: 'Our own', level: 1 })).toBeVisible();
  await page.getByText('Unmapped', { exact: true }).click();
  await page.getByRole('searchbox', { name: 'Search hangtag’s paths' }).fill('sari');
  await page.getByRole('checkbox', { name: 'Saris' }).check();
  await test.step('something selected', () => expectNoComplaints(page));
  await page.getByRole('searchbox', { name: 'Search categories' }).fill('Saris & more');
  await page.getByRole('button', { name: 'Add “Saris & more”' }).click();
  await expect(page.getByText('Nothing found')).toBeVisible();
  await page.getByText('All', { exact: true }).first().click();
  await expect(page.getByRole('listitem').filter({ hasText: 'Saris & more' }).first()).toBeVisible();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible();
});

test.describe('an address that is refused', () => {
  test.use({ tolerated: [/422/] });

  test('a webhook is added with a secret that is shown once', async ({ page }) => {
    await page.goto('/settings');
    await page.getByLabel('Address').fill('https://localhost/hook');
    await page.getByRole('button', { name: 'Add a webhook' }).click();
    await expect(page.getByRole('alert')).toContainText('private');
    await page.getByLabel('Address').fill('https://shop.example/hook');
    await page.getByRole('button', { name: 'Add a webhook' }).click();
    await expect(page.getByText(/^whsec_/)).toBeVisible();
    await test.step('the secret', () => expectNoComplaints(page));
    page.on('dialog', (dialog) => void dialog.accept());
    await page.getByRole('button', { name: 'Delete' }).click();
    await expect(page.getByText('No webhooks yet.')).toBeVisible();
  });
});
