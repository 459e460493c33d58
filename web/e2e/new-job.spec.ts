import { expect, expectAccessible, samplePhotos, test } from './fixtures.ts';

test('a table with two columns of photos asks which one counts', async ({ page, tolerated }) => {
  tolerated.push(/422/);
  await page.goto('/jobs');
  const photos = (await samplePhotos(page)).slice(0, 4);
  const [a, b, c, d] = photos.map(({ name }) => name);
  const table = `front,back\n${a},${b}\n${c},${d}\n`;
  const list = { name: 'list.csv', mimeType: 'text/csv', buffer: Buffer.from(table) };
  await page.locator('input[type=file]').setInputFiles([...photos, list]);
  await page.getByRole('button', { name: 'Start labelling' }).click();
  await expect(page.getByRole('alert')).toContainText('Several columns of the table list photos');
  await page.getByRole('combobox', { name: 'Photo column' }).selectOption('back');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Start labelling' }).click();
  await expect(page.getByText('Done.', { exact: true })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('list', { name: 'Results' }).locator('[data-index]').first()).toContainText(
    b ?? '',
  );
});

test('sending goes on where the page is left, and pulls nobody back', async ({ page }) => {
  await page.goto('/jobs');
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/api/v1/jobs', async (route) => {
    if (route.request().method() === 'POST') await held;
    await route.continue();
  });
  await page.locator('input[type=file]').setInputFiles((await samplePhotos(page)).slice(0, 1));
  await page.getByRole('textbox', { name: 'Name' }).fill('Left alone');
  await page.getByRole('button', { name: 'Start labelling' }).click();
  const goTo = async (name: string) => {
    await page.getByRole('link', { name, exact: true }).first().click();
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  };
  await goTo('Models');
  await goTo('Jobs');
  await expect(page.getByRole('button', { name: 'Cancel upload' })).toBeVisible();
  await goTo('Models');
  release();
  await expect(page.getByText('Batch Left alone sent')).toBeAttached();
  await expect(page).toHaveURL(/\/models$/);
});

test('a table without photos is not sent', async ({ page }) => {
  await page.goto('/jobs');
  const table = { name: 'list.csv', mimeType: 'text/csv', buffer: Buffer.from('photo\na.jpg\n') };
  await page.locator('input[type=file]').setInputFiles([table]);
  await expect(page.getByText('Add the photos')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Start labelling' })).toBeDisabled();
});

test('photos may be dropped beside the box', async ({ page }) => {
  await page.goto('/jobs');
  const data = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['x'], 'tee.jpg', { type: 'image/jpeg' }));
    return transfer;
  });
  await page.getByRole('heading', { level: 1 }).dispatchEvent('drop', { dataTransfer: data });
  await expect(page.getByText('1 photo', { exact: true })).toBeVisible();
});
