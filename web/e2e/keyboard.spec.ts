import { expect, test } from './fixtures.ts';
import { expectBelowFilters, TrayPage } from './tray.ts';

test('a label is changed and taken back by keys alone', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.tag('tshirt.png').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('combobox', { name: 'Category', exact: true })).toBeFocused();
  await page.keyboard.type('jean');
  await expect(page.getByRole('option', { name: /^Jeans/ })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(tray.tag('tshirt.png')).toBeFocused();
  await expect(tray.tag('tshirt.png')).toContainText('Apparel › Bottomwear ›');
  await expect(tray.tag('tshirt.png')).toContainText('Set by you');
  await expect(tray.filter('Edited 1')).toBeVisible();
  await page.keyboard.press('Control+z');
  await expect(tray.tag('tshirt.png')).toContainText('Apparel › Topwear ›');
  await expect(tray.filter('Edited 0')).toBeVisible();
});

test('a removed photo comes back by the same keys, with its picture', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await expect(tray.tag('watch.png').getByRole('img')).toBeVisible();
  await tray.tag('watch.png').focus();
  await page.keyboard.press('Delete');
  await expect(tray.tag('watch.png')).toHaveCount(0);
  await expect(tray.tags).toHaveCount(7);
  await page.keyboard.press('Control+z');
  await expect(tray.tag('watch.png')).toBeFocused();
  const picture = tray.tag('watch.png').getByRole('img', { name: 'watch.png' });
  await expect(picture).toHaveJSProperty('complete', true);
  await expect(picture).not.toHaveJSProperty('naturalWidth', 0);
});

test('an attribute is changed in its field', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  const tag = tray.tag('watch.png');
  await tag.getByRole('group', { name: 'Attributes' }).getByRole('button').first().click();
  await expect(page.getByRole('combobox', { name: 'Gender' })).toBeFocused();
  await page.keyboard.type('unis');
  await page.keyboard.press('Enter');
  await expect(tag.getByRole('button', { name: /^Unisex/ })).toBeVisible();
});

test('Escape leaves a label as it was', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.tag('cap.png').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('combobox', { name: 'Category', exact: true })).toBeFocused();
  await page.keyboard.type('jean');
  await expect(page.getByRole('option', { name: /^Jeans/ })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await expect(tray.tag('cap.png')).toBeFocused();
  await expect(tray.filter('Edited 0')).toBeVisible();
});

test('what was typed but not chosen does not stay in the field', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.tag('tshirt.png').focus();
  await page.keyboard.press('Enter');
  const field = page.getByRole('combobox', { name: 'Category', exact: true });
  await expect(field).toBeFocused();
  await page.keyboard.type('sandals');
  await expect(page.getByRole('option', { name: 'Sandals Footwear › Sandal', exact: true })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('listbox')).toHaveCount(0);
  await expect(field).toHaveValue('Tshirts');
});

test('the list of classes is whole, and begins with the chosen one', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.tag('tshirt.png').focus();
  await page.keyboard.press('Enter');
  const options = page.getByRole('listbox').getByRole('option');
  await page.setViewportSize({ width: 360, height: 740 });
  await expect(options.first()).toContainText('Tshirts');
  await expect(options.last()).toContainText('Wristbands');
  // On a phone, a name on two lines makes its line higher.
  const covered = await options.evaluateAll((all) =>
    all.filter((option) => option.scrollHeight > option.clientHeight).map((option) => option.textContent),
  );
  expect(covered).toEqual([]);
});

test('keys speak to the page right after a filter was clicked, with Caps Lock too', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.tag('tshirt.png').focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('combobox', { name: 'Category', exact: true })).toBeFocused();
  await page.keyboard.type('jean');
  await page.keyboard.press('Enter');
  await tray.filter('Edited 1').check();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await page.keyboard.press('Escape');
  await tray.filter('All 8').check();
  // What a browser says of Ctrl and Z under Caps Lock.
  await page.evaluate(() => {
    const key = { key: 'Z', ctrlKey: true, bubbles: true, cancelable: true };
    document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', key));
  });
  await expect(tray.filter('Edited 0')).toBeVisible();
});

test('arrows move between tags, as they stand', async ({ page }) => {
  const tray = new TrayPage(page);
  await page.setViewportSize({ width: 1280, height: 900 });
  await tray.withSamples();
  const line = (await page.locator('.line').first().locator('article').count()) as number;
  await tray.tags.first().focus();
  await page.keyboard.press('ArrowRight');
  await expect(tray.tags.nth(1)).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(tray.tags.nth(1 + line)).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(tray.tags.nth(1)).toBeFocused();
  await expectBelowFilters(tray.tags.nth(1));
  await page.keyboard.press('Home');
  await expect(tray.tags.first()).toBeFocused();
});

test('doubtful tags are settled one after the other with 1 and 2', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.open();
  await tray.useModel('doubter');
  await page.getByRole('button', { name: 'Try all samples' }).click();
  await tray.settled();
  await tray.filter('To check 8').check();
  await tray.tags.first().focus();
  const guess = await tray.tags
    .first()
    .getByRole('group', { name: 'Best guesses' })
    .getByRole('button')
    .nth(1)
    .innerText();
  const first = await tray.tags.first().getAttribute('data-photo');
  await page.keyboard.press('2');
  await expect(tray.filter('To check 7')).toBeVisible();
  // The next tag has taken its place, and the keys.
  await expect(tray.tags.first()).toBeFocused();
  await expect(tray.tags.first()).not.toHaveAttribute('data-photo', first ?? '');
  await page.keyboard.press('1');
  await expect(tray.filter('To check 6')).toBeVisible();
  await tray.filter('All 8').check();
  await expect(page.locator(`[data-photo="${first}"]`)).toContainText(guess.split('\n')[0] ?? '');
});

test('? shows all keys; those of a single character can be turned off', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await page.keyboard.press('?');
  const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await dialog.getByRole('checkbox').uncheck();
  await page.keyboard.press('Escape');
  await tray.tag('dress.png').focus();
  await page.keyboard.press('?');
  await page.keyboard.press('d');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await dialog.getByRole('checkbox').check();
  await page.keyboard.press('Escape');
  await tray.tag('dress.png').focus();
  await page.keyboard.press('d');
  await expect(page.getByRole('dialog', { name: 'dress.png' })).toBeVisible();
});

test('the content can be reached past the rail', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.open();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('main')).toBeFocused();
});
