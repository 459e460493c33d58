import { expect, expectAccessible, expectNoComplaints, test } from './fixtures.ts';

test('the page speaks the chosen language, and still does after a reload', async ({ page }) => {
  await page.goto('/settings');
  await page.getByRole('combobox', { name: 'Language' }).selectOption('de');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Optionen');
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  await page.reload();
  await page.getByRole('link', { name: 'Katalog' }).click();
  await expect(page.getByRole('heading', { name: 'Farbe' })).toBeVisible();
  await expect(page.getByRole('button', { name: /^Oberteile/ })).toContainText('24 Artikel');
});

test.describe('in a browser that is set to Spanish', () => {
  test.use({ locale: 'es-MX' });

  test('the page speaks Spanish from the start', async ({ page }) => {
    await page.goto('/models');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Modelos');
    await expect(page.locator('html')).toHaveAttribute('lang', 'es');
  });
});

test('nothing to complain about in the settings', async ({ page }) => {
  await page.goto('/settings');
  await expect(page.getByText(/^hangtag \d/)).toBeVisible();
  await expectNoComplaints(page);
});

test('the settings lead to the description of the API, which anyone can read', async ({ page }) => {
  test.slow();
  await page.goto('/settings');
  await page.getByRole('link', { name: 'How to use the API' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('the HTTP API');
  await expectAccessible(page);
});
