import { expect, samplePhotos, test } from './fixtures.ts';
import { blank, broken, expectBelowFilters, TrayPage } from './tray.ts';

test('an empty page offers samples, and labels them', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.open();
  await page.getByRole('button', { name: 'Try all samples' }).click();
  await tray.settled();
  await expect(tray.tags).toHaveCount(8);
  await expect(tray.tag('tshirt.png')).toContainText('Apparel › Topwear ›');
  await expect(tray.tag('tshirt.png')).toContainText('Tshirts');
  await expect(page.getByRole('heading', { name: 'Drop product photos here' })).toHaveCount(0);
});

test('photos can be dropped and pasted', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.open();
  const [photo] = await samplePhotos(page);
  await page.evaluate(
    ([bytes, name]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(bytes ?? ''), (c) => c.charCodeAt(0))], name ?? ''));
      window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
      window.dispatchEvent(
        new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }),
      );
    },
    [photo?.buffer.toString('base64'), 'dress.png'],
  );
  await tray.settled();
  await expect(tray.tags).toHaveCount(2);
});

test('a broken file says why, and can be removed', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples([broken]);
  await expect(page.getByText('1 could not be opened').first()).toBeVisible();
  await tray.filter('Can’t open').check();
  await expect(tray.tags).toHaveCount(1);
  await expect(tray.tag('broken.jpg')).toContainText('Can’t open: not a photo');
  await tray.tag('broken.jpg').getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByText('No photos match')).toBeVisible();
  await page.getByRole('button', { name: 'Clear filter' }).click();
  await expect(tray.tags).toHaveCount(8);
});

test('a photo that shows nothing is flagged, and found by its flag', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples([blank]);
  // The samples are drawings, and the model may say of some that they show no product.
  await tray.filter('^Flagged \\d').check();
  await expect(tray.tag('blank.png').getByRole('list', { name: 'Flags' })).toContainText('Blank');
});

test('what a model is not sure of is said to be so', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.useModel('doubter');
  await page.getByRole('button', { name: 'Relabel' }).click();
  await tray.settled();
  await expect(tray.tag('watch.png')).toContainText('not sure');
  // However long, the path can be read whole.
  for (const path of await page.locator('.doubt').all())
    expect(await path.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  await expect(tray.tag('watch.png').getByRole('group', { name: 'Best guesses' })).toContainText('Watches');
});

test('archives and tables are sent to Jobs', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.open();
  await tray.choose([{ name: 'photos.zip', mimeType: 'application/zip', buffer: Buffer.from('PK') }]);
  await expect(page.getByText('Skipped 1 file')).toBeVisible();
  await page.getByRole('link', { name: 'Go to Jobs' }).click();
  await expect(page).toHaveURL(/\/jobs$/);
});

test('all probabilities are one click away, and choosing one changes the label', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray
    .tag('tshirt.png')
    .getByRole('button', { name: /^All probabilities/ })
    .click();
  const dialog = page.getByRole('dialog');
  const categories = dialog.getByRole('region', { name: 'Main category' });
  await expect(categories.getByRole('listitem')).toHaveCount(7);
  const types = dialog.getByRole('region', { name: 'Article type' });
  await types.getByRole('button', { name: /^All 1\d\d/ }).click();
  await types.getByRole('button', { name: 'Shirts', exact: true }).click();
  await page.keyboard.press('Escape');
  await expect(tray.tag('tshirt.png').getByRole('button', { name: 'Shirts', exact: true })).toBeVisible();
  await expect(tray.tag('tshirt.png')).toBeFocused();
});

test('all models are asked about a photo, side by side', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray
    .tag('handbag.png')
    .getByRole('button', { name: /^Compare/ })
    .click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('columnheader', { name: /default/ })).toBeVisible();
  await expect(dialog.getByRole('columnheader', { name: /doubter/ })).toBeVisible();
  await expect(dialog.getByRole('row', { name: /Article type/ })).toContainText('Handbags');
});

test('another model labels the photos again', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.useModel('doubter');
  await page.getByRole('button', { name: 'Relabel' }).click();
  await tray.settled();
  await expect(tray.filter('To check 8')).toBeVisible();
  await page.reload();
  await expect(page.getByRole('button', { name: /^Model/ })).toContainText('doubter');
});

test('filters and sorting say which tags are shown, and how many', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await page.getByLabel('Only this category').selectOption('Apparel');
  await expect(tray.tag('tshirt.png')).toBeVisible();
  await expect(tray.tag('watch.png')).toHaveCount(0);
  await page.getByLabel('Only this category').selectOption('');
  await page.getByRole('combobox', { name: 'Sort', exact: true }).selectOption('By name');
  await expect(tray.tags.first()).toHaveAttribute('aria-label', /^cap\.png/);
});

test('what was shown is downloaded and copied', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const tray = new TrayPage(page);
  await tray.withSamples([broken]);
  const lines = (await tray.exported(/CSV/)).toString().trim().split('\n');
  expect(lines[0]).toMatch(/^path,status,reason,masterCategory,masterCategory_confidence,/);
  expect(lines[1]).toMatch(/^tshirt\.png,labelled,,Apparel,0\.9\d{3},Topwear,/);
  expect(lines[9]).toMatch(/^broken\.jpg,failed,not_a_photo,/);
  expect((await tray.exported(/Excel/)).subarray(0, 2).toString()).toBe('PK');
  await tray.export(/Copy/);
  await expect(page.getByText('Copied', { exact: true })).toBeAttached();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied.split('\n')[1]).toContain('tshirt.png\tlabelled');
});

test('labels are copied where a page of plain http has no clipboard, or the page says that it cannot', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read']);
  await page.addInitScript(() => {
    Object.defineProperty(window, 'isSecureContext', { value: false });
    Object.defineProperty(navigator.clipboard, 'writeText', { value: undefined });
  });
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.export(/Copy/);
  await expect(page.getByText('Copied', { exact: true })).toBeAttached();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied.split('\n')[1]).toContain('tshirt.png\tlabelled');
  await page.evaluate(() => (document.execCommand = () => false));
  await tray.export(/Copy/);
  await expect(page.getByRole('alert')).toContainText('doesn’t allow copying here');
});

test('an export of other photos does not save the changes of these', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples([broken]);
  const attribute = tray.tag('watch.png').getByRole('group', { name: 'Attributes' }).getByRole('button');
  await attribute.first().click();
  await expect(page.getByRole('combobox', { name: 'Gender' })).toBeFocused();
  await page.keyboard.type('unis');
  await page.keyboard.press('Enter');
  await expect(tray.filter('Edited 1')).toBeVisible();
  await tray.filter('Can’t open').check();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  await page.getByRole('menuitem', { name: /CSV/ }).click();
  await download;
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect(page.getByRole('dialog')).toContainText('You haven’t exported your changes to 1 photo');
  await page.getByRole('button', { name: 'Keep photos' }).click();
  await tray.filter('All').check();
  await expect(tray.tags).toHaveCount(9);
});

test('the tags are still there after a walk to another page, and a reload starts anew', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await page.getByRole('link', { name: 'Models' }).click();
  await expect(page).toHaveURL(/\/models$/);
  await page.getByRole('link', { name: 'Classify' }).click();
  await expect(tray.tags).toHaveCount(8);
  await tray.choose(await samplePhotos(page));
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Drop product photos here' })).toBeVisible();
});

test('hundreds of photos: only those in view are drawn, all are labelled', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.open();
  const photos = await samplePhotos(page);
  const many = Array.from({ length: 400 }, (_, position) => {
    const photo = photos[position % photos.length];
    return { ...(photo ?? broken), name: `photo-${position}.png` };
  });
  await tray.choose(many);
  await tray.tags.first().focus();
  await tray.settled();
  await expect(page.getByText(/^400 photos/).first()).toBeVisible();
  expect(await tray.tags.count()).toBeLessThan(60);
  await page.keyboard.press('End');
  await expect(tray.tag('photo-399.png')).toBeFocused();
  await expect(tray.tag('photo-399.png')).toBeInViewport();
  await page.keyboard.press('Home');
  await expect(tray.tag('photo-0.png')).toBeFocused();
  await expectBelowFilters(tray.tag('photo-0.png'));
  // So many rows are zipped in another way than a few.
  const workbook = await tray.exported(/Excel/);
  expect(workbook.subarray(0, 2).toString()).toBe('PK');
  expect(workbook.length).toBeGreaterThan(20_000);
});

test('the way back leads to the tags that were looked at', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.open();
  const photos = await samplePhotos(page);
  await tray.choose(
    Array.from({ length: 160 }, (_, position) => ({
      ...(photos[position % photos.length] ?? broken),
      name: `photo-${position}.png`,
    })),
  );
  await tray.settled();
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight / 4));
  await expect(tray.tag('photo-40.png')).toBeInViewport();
  await page.getByRole('link', { name: 'Models' }).click();
  await expect(page.getByRole('heading', { name: 'default' })).toBeVisible();
  await page.goBack();
  await expect(tray.tag('photo-40.png')).toBeInViewport();
});

test('a click while the page scrolls counts', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  const button = tray.tag('watch.png').getByRole('button', { name: /^Compare/ });
  await button.scrollIntoViewIfNeeded();
  const hit = await button.evaluate(async (element) => {
    window.scrollBy(0, -40);
    await new Promise((scrolled) => window.addEventListener('scroll', scrolled, { once: true }));
    await new Promise(requestAnimationFrame); // the list has heard of it, too
    const { left, top, width, height } = element.getBoundingClientRect();
    return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  });
  expect(hit).toBe(true);
});
