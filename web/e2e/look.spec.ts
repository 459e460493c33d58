import { expect, expectAccessible, expectNoSidewaysScroll, test } from './fixtures.ts';
import { TrayPage } from './tray.ts';

test('what the model looked at is one click away, a picture for each label', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray
    .tag('shoe.png')
    .getByRole('button', { name: /^What did the model look at/ })
    .click();
  const dialog = page.getByRole('dialog', { name: 'What did the model look at?' });
  const first = dialog.getByRole('img', { name: 'shoe.png highlighted where it supports Footwear' });
  await expect(first).toBeVisible();
  expect(await first.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(240);
  await expectAccessible(page);

  await dialog.getByRole('radio', { name: 'Category', exact: true }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(dialog.getByRole('img', { name: /highlighted where it supports .*Shoes/ })).toBeVisible();
  await page.keyboard.press('ArrowRight');
  await expect(dialog.getByRole('img', { name: 'shoe.png', exact: true })).toBeVisible();
  await expectNoSidewaysScroll(page);
  await page.keyboard.press('Escape');
  await expect(tray.tag('shoe.png')).toBeFocused();
});

test('the key L opens it for the tag with the focus', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.tag('watch.png').focus();
  await page.keyboard.press('l');
  const dialog = page.getByRole('dialog', { name: 'What did the model look at?' });
  await expect(dialog.getByRole('img', { name: /^watch\.png highlighted/ })).toBeVisible();
});

test.describe('while the service is busy', () => {
  test.use({ tolerated: [/status of 503/] });

  test('it says so, and shows the pictures after another try', async ({ page }) => {
    const tray = new TrayPage(page);
    await tray.withSamples();
    await page.route('**/api/v1/explanations', (route) =>
      route.fulfill({
        status: 503,
        contentType: 'application/problem+json',
        body: JSON.stringify({
          code: 'queue_full',
          detail: '32 photos wait to be explained',
          fix: 'Try again in a second.',
        }),
      }),
    );
    await tray.tag('cap.png').focus();
    await page.keyboard.press('l');
    const dialog = page.getByRole('dialog', { name: 'What did the model look at?' });
    await expect(dialog).toContainText('32 photos wait to be explained.');
    await expectAccessible(page);
    await page.unroute('**/api/v1/explanations');
    await dialog.getByRole('button', { name: 'Try again' }).click();
    await expect(dialog.getByRole('img', { name: /^cap\.png highlighted/ })).toBeVisible();
  });
});
