import { expect, expectNoComplaints, test } from './fixtures.ts';

test('the models tell how good they are', async ({ page }) => {
  await page.goto('/models');
  const doubter = page.getByRole('article').filter({ has: page.getByRole('link', { name: 'doubter' }) });
  await expect(doubter).toContainText('80.0%');
  await expect(doubter).toContainText('of the test split');
  await expect(page.getByRole('article').first()).toContainText('default');
  await doubter.getByRole('link').click();
  await expect(page.getByRole('heading', { level: 1, name: 'doubter' })).toBeVisible();
});

test('the confusion matrix is read with the keyboard', async ({ page }) => {
  await page.goto('/models/doubter');
  const matrix = page.getByRole('application', { name: /^Confusion matrix of Category/ });
  await matrix.focus();
  await matrix.press('ArrowRight');
  await expect(page.getByText(/Accessories: recognised in 80 of 100 photos \(80.0%\)/)).toBeVisible();
  await matrix.press('ArrowRight');
  await expect(page.getByText(/Accessories: labelled Clothing in 20 of 100 photos \(20.0%\)/)).toBeVisible();
});

test('many classes start with the most confused ones, and a mistake shows its cell', async ({ page }) => {
  await page.goto('/models/doubter');
  await page.getByRole('radio', { name: 'Product type' }).check();
  await expect(page.getByRole('application', { name: /of Product type/ })).toBeVisible();
  const shown = page.getByRole('combobox', { name: 'Classes shown' });
  await expect(shown).toHaveValue('confused');
  await shown.selectOption('Only Footwear');
  const mistakes = page.getByRole('region', { name: 'Most frequent mistakes' });
  await mistakes.getByRole('button').first().click();
  await expect(page.getByText(/: labelled .* in 20 of 100 photos/)).toBeVisible();
  await shown.selectOption({ label: 'All 141 classes' });
  await expect(mistakes.getByRole('button')).toHaveCount(12);
});

test('how much a head can answer is read point by point', async ({ page }) => {
  await page.goto('/models/doubter');
  const curve = page.getByRole('slider', { name: /^Category, % answered/ });
  await curve.focus();
  await curve.press('Home');
  await expect(curve).toHaveAttribute('aria-valuetext', /10: right 98.0%$/);
  await expect(page.getByText(/With a confidence of 80.0% or more it answers/)).toBeVisible();
  await page.getByRole('radio', { name: 'Gender' }).check();
  await expect(page.getByText(/No confidence threshold reaches the target of 98.0%/)).toBeVisible();
});

test('on a phone the names of the axes stand apart', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto('/models/doubter');
  const names = page.locator('svg .name');
  await expect(names.filter({ hasText: '% answered' })).toBeVisible();
  const boxes = await names.evaluateAll((all) => all.map((one) => one.getBoundingClientRect()));
  for (const [place, one] of boxes.entries())
    for (const other of boxes.slice(place + 1)) {
      const apart = one.right < other.left || other.right < one.left;
      expect(apart || one.bottom < other.top || other.bottom < one.top).toBe(true);
    }
});

test('classes are sorted and found', async ({ page }) => {
  await page.goto('/models/doubter');
  const table = page.getByRole('region', { name: 'Figures of each class of Category' });
  await table.getByRole('button', { name: 'Class' }).click();
  await expect(table.getByRole('columnheader', { name: 'Class' })).toHaveAttribute('aria-sort', 'ascending');
  await expect(table.getByRole('row').nth(1)).toContainText('Accessories');
  await page.getByRole('searchbox', { name: 'Find a class' }).fill('foot');
  await expect(table.getByRole('row')).toHaveCount(2);
});

test('the training is read epoch by epoch, and as a table', async ({ page }) => {
  await page.goto('/models/default');
  const curve = page.getByRole('slider', { name: 'Loss, Epoch' });
  await curve.focus();
  await curve.press('Home');
  await expect(curve).toHaveAttribute('aria-valuetext', /^Epoch 1: training \d\.\d\d, validation \d\.\d\d$/);
  const figure = page.getByRole('figure').filter({ has: curve });
  await figure.getByText('As a table').click();
  await expect(figure.getByRole('row')).toHaveCount(10); // the 9 epochs of the shipped model, and the heads
});

test('a short page is no taller than its window', async ({ page, tolerated }) => {
  tolerated.push(/404/);
  await page.goto('/models/nothing');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  const heights = await page.evaluate(() => [document.documentElement.scrollHeight, innerHeight]);
  expect(heights[0]).toBe(heights[1]);
});

test('a model that is not there is said so', async ({ page, tolerated }) => {
  tolerated.push(/404/);
  await page.goto('/models/nothing');
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
});

test('nothing to complain about in the models', async ({ page }) => {
  test.slow();
  for (const [address, name] of [
    ['/models', 'default'],
    ['/models/doubter', 'Accuracy'],
  ] as const) {
    await page.goto(address);
    await expect(page.getByRole('heading', { name }).first()).toBeVisible();
    await page.waitForLoadState('networkidle');
    await expectNoComplaints(page);
  }
});
