import { expect, expectAccessible, expectNoComplaints, test } from './fixtures.ts';

test('the catalogue is counted, and narrowed from the root down', async ({ page }) => {
  await page.goto('/catalogue');
  await expect(page.getByRole('term').filter({ hasText: /^products$/ })).toBeVisible();
  const categories = page
    .locator('section')
    .filter({ has: page.getByRole('heading', { name: 'Categories' }) });
  await categories
    .getByRole('button', { name: /^Footwear/ })
    .first()
    .click();
  await expect(categories.getByRole('button', { name: /^Footwear/ }).first()).toHaveAttribute(
    'aria-pressed',
    'true',
  );
  await expect(categories.getByRole('button', { name: /^Tops/ })).toHaveCount(0);
  await expect(
    page.getByRole('region', { name: 'Samples of Footwear' }).getByRole('img').first(),
  ).toBeVisible();
  await page.getByRole('button', { name: 'Clear selection' }).click();
  await expect(categories.getByRole('button', { name: /^Tops/ })).toHaveCount(1);
});

test('below a chosen category, shares are those of the products in it', async ({ page }) => {
  await page.goto('/catalogue');
  await page.getByRole('button', { name: /^Clothing/ }).click();
  await expect(page.getByRole('button', { name: /^Tops/ })).toHaveText(/24 products\s+66\.7%/);
  await page.getByRole('button', { name: /^Tops/ }).click();
  await expect(page.getByRole('button', { name: /^T-shirts/ })).toHaveText(/12 products\s+50\.0%/);
});

test('what the check found is listed by kind, with photos', async ({ page }) => {
  await page.goto('/catalogue');
  const kind = page.getByRole('button', { name: /the row has no photo/ });
  await kind.click();
  await expect(kind).toHaveAttribute('aria-pressed', 'true');
  await expect(page.getByText('1–1 of 1 finding', { exact: true })).toBeVisible();
});

test('findings are reviewed as a batch, and come back as a corrected table', async ({ page }) => {
  await page.goto('/catalogue');
  await page.getByRole('button', { name: 'Products without a photo' }).click();
  await expect(page).toHaveURL(/\/batches\//);
  await page.getByRole('button', { name: 'More actions' }).click();
  const download = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: 'Download the corrected styles.csv' }).click();
  expect((await download).suggestedFilename()).toMatch(/\.csv$/);
});

test('on a phone the numbers of many years stand beside each other without touching', async ({ page }) => {
  const years = Array.from({ length: 13 }, (_, year) => [String(2007 + year), 1100 + 1111 * year]);
  await page.route('**/api/v1/catalogue', async (route) => {
    const reply = await route.fetch();
    await route.fulfill({ json: { ...((await reply.json()) as object), years } });
  });
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto('/catalogue');
  const chart = page.getByRole('figure').filter({ hasText: 'Products by year' });
  await expect(chart.getByText('2019')).toBeVisible();
  for (const numbers of [chart.locator('.value'), chart.locator('.label')]) {
    const boxes = await numbers.evaluateAll((all) => all.map((one) => one.getBoundingClientRect()));
    expect(boxes).toHaveLength(years.length);
    for (const [place, box] of boxes.slice(1).entries())
      expect(box.left).toBeGreaterThanOrEqual(boxes[place]?.right ?? Infinity);
  }
});

test('without a catalogue the page says how to load one', async ({ page }) => {
  const absent = {
    available: false,
    state: 'absent',
    message: 'no catalogue is loaded',
    done: 0,
    total: null,
  };
  await page.route('**/api/v1/catalogue', (route) => route.fulfill({ json: absent }));
  await page.goto('/catalogue');
  await expect(page.getByText(/hangtag serve --catalogue/)).toBeVisible();
  await expectAccessible(page);
});

test('nothing to complain about in the catalogue', async ({ page }) => {
  await page.goto('/catalogue');
  await expect(page.getByRole('button', { name: /the row has no photo/ })).toBeVisible();
  await expectNoComplaints(page);
});
