import { expect, samplePhotos, test } from './fixtures.ts';
import { TrayPage } from './tray.ts';

const PREDICTIONS = '**/api/v1/predictions';

test.use({ tolerated: [/Failed to load resource/] });

test('a busy service is asked again', async ({ page }) => {
  let refusals = 2;
  await page.route(PREDICTIONS, (route) => {
    if (refusals-- <= 0) return route.continue();
    const problem = { title: 'Busy', status: 503, code: 'queue_full', detail: 'too many photos wait' };
    const headers = { 'Retry-After': '1', 'Content-Type': 'application/problem+json' };
    return route.fulfill({ status: 503, headers, body: JSON.stringify(problem) });
  });
  const tray = new TrayPage(page);
  await tray.withSamples();
  await expect(page.locator('article.tag .label .path')).toHaveCount(8);
});

test('a service that is away: the photos wait, and go on when it is back', async ({ page }) => {
  test.slow();
  await page.route(PREDICTIONS, (route) => route.abort());
  const tray = new TrayPage(page);
  await tray.open();
  await page.getByRole('button', { name: 'Try all samples' }).click();
  const notice = page.getByRole('alert');
  await expect(notice).toContainText('The service isn’t responding. Check that it is still running.', {
    timeout: 40_000,
  });
  await expect(notice).toContainText('8 photos not labelled yet');
  await page.unroute(PREDICTIONS);
  await notice.getByRole('button', { name: 'Resume' }).click();
  await expect(page.locator('article.tag .label .path')).toHaveCount(8);
});

test('one refused photo does not keep the others from their labels', async ({ page }) => {
  await page.route(PREDICTIONS, (route) => {
    if (!route.request().postDataBuffer()?.includes('huge.png')) return route.continue();
    const problem = { title: 'x', status: 413, code: 'too_large', detail: 'the request is too large' };
    return route.fulfill({
      status: 413,
      contentType: 'application/problem+json',
      body: JSON.stringify(problem),
    });
  });
  const tray = new TrayPage(page);
  await tray.withSamples([{ name: 'huge.png', mimeType: 'image/png', buffer: Buffer.from('x') }]);
  await expect(tray.tag('huge.png')).toContainText('file is too large');
  await expect(page.locator('article.tag .label .path')).toHaveCount(8);
});

test('Stop keeps what is there, Go on labels the rest', async ({ page }) => {
  const held: (() => void)[] = [];
  await page.route(PREDICTIONS, async (route) => {
    await new Promise<void>((resolve) => held.push(resolve));
    await route.continue().catch(() => undefined); // the page may have given up on it
  });
  const tray = new TrayPage(page);
  await tray.open();
  await page.getByRole('button', { name: 'Try all samples' }).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.getByText('8 photos not labelled yet.')).toBeVisible();
  for (const release of held) release();
  await page.unroute(PREDICTIONS);
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.locator('article.tag .label .path')).toHaveCount(8);
});

test('Clear while photos are under way leaves none of them to be sent later', async ({ page }) => {
  await page.route(PREDICTIONS, () => undefined);
  const tray = new TrayPage(page);
  await tray.open();
  const sent = page.waitForRequest(PREDICTIONS);
  await page.getByRole('button', { name: 'Try all samples' }).click();
  await sent;
  await page.getByRole('button', { name: 'Clear' }).click();
  await expect(page.getByText('Drop product photos here')).toBeVisible();
  await page.unroute(PREDICTIONS);
  let requests = 0;
  page.on('request', (request) => (requests += request.url().endsWith('/predictions') ? 1 : 0));
  await tray.choose((await samplePhotos(page)).slice(0, 1));
  await expect(page.locator('article.tag .label .path')).toHaveCount(1);
  await tray.settled();
  await expect(page.getByText('not labelled yet')).toHaveCount(0);
  expect(requests).toBe(1);
});

test('labelling again that is stopped goes on from one notice, with each photo once', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.useModel('doubter');
  await page.route(PREDICTIONS, () => undefined);
  await page.getByRole('button', { name: 'Relabel' }).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.getByText('8 photos not labelled yet.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Relabel' })).toHaveCount(0);
  await page.unroute(PREDICTIONS);
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(tray.filter('To check 8')).toBeVisible();
});

test('models that cannot be listed are asked for once, and again when a person says so', async ({ page }) => {
  let asked = 0;
  await page.route('**/api/v1/models', (route) => {
    asked += 1;
    return route.abort();
  });
  const tray = new TrayPage(page);
  await tray.open();
  const button = page.getByRole('button', { name: /^Model/ });
  await expect(button).toContainText('unavailable');
  await tray.choose(await samplePhotos(page));
  await tray.settled();
  expect(asked).toBe(1);
  await page.unroute('**/api/v1/models');
  await button.click();
  await expect(page.getByRole('dialog')).toContainText('The service isn’t responding.');
  await page.getByRole('dialog').getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('dialog').getByRole('radio', { name: /default/ })).toBeVisible();
});

for (const [key, address] of [
  ['d', PREDICTIONS],
  ['c', '**/api/v1/predictions/compare'],
  ['l', '**/api/v1/explanations'],
] as const)
  test(`a question to a service that is away is put once (${key})`, async ({ page }) => {
    const tray = new TrayPage(page);
    await tray.withSamples();
    let asked = 0;
    await page.route(address, (route) => {
      asked += 1;
      return route.abort();
    });
    await tray.tag('watch.png').focus();
    await page.keyboard.press(key);
    const again = page.getByRole('dialog').getByRole('button', { name: 'Try again' });
    await expect(again).toBeVisible();
    // A loop would have asked some dozens of times before these pictures are drawn.
    await page.evaluate(async () => {
      for (let frame = 0; frame < 12; frame += 1) await new Promise(requestAnimationFrame);
    });
    expect(asked).toBe(1);
    await page.unroute(address);
    await again.click();
    await expect(again).toHaveCount(0);
  });

test('a label stays as it is while its classes cannot be loaded, and the page says so', async ({ page }) => {
  const tray = new TrayPage(page);
  await tray.withSamples();
  await tray.useModel('doubter');
  await page.getByRole('button', { name: 'Relabel' }).click();
  await tray.settled();
  await page.route(/\/api\/v1\/taxonomy/, (route) => route.abort());
  const tag = tray.tag('watch.png');
  await tag.focus();
  for (const key of ['2', 'Enter']) {
    await page.keyboard.press(key);
    await expect(page.getByRole('alert')).toContainText('Nothing was changed');
    await expect(page.getByRole('alert')).toBeInViewport();
    await expect(tag).toContainText('not sure');
    await page.getByRole('button', { name: 'Close this message' }).click();
    await tag.focus();
  }
  await page.unroute(/\/api\/v1\/taxonomy/);
  await page.keyboard.press('1');
  await expect(tag).toContainText('Set by you');
  await expect(page.getByRole('alert')).toHaveCount(0);
});

test('an address that is none says so', async ({ page }) => {
  await page.goto('/nowhere');
  await expect(page.getByText('Page not found')).toBeVisible();
  await page.getByRole('link', { name: 'Go to the start page', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Classify' })).toBeVisible();
});

test('a page that cannot be fetched is not called broken, and can be tried again', async ({ page }) => {
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'Classify' })).toBeVisible();
  await page.route('**/_app/**', (route) => route.abort());
  await page.route('/healthz', (route) => route.abort());
  await page.getByRole('link', { name: 'Catalogue' }).first().click();
  await expect(page.getByText('The service isn’t responding', { exact: true })).toBeVisible();
  await page.unrouteAll();
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Catalogue' })).toBeVisible();
});

test('a file that is dropped where nothing takes it does not replace the page', async ({ page }) => {
  await page.goto('/models');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  const isLeft = await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['x'], 'tee.jpg', { type: 'image/jpeg' }));
    return document.body.dispatchEvent(
      new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }),
    );
  });
  expect(isLeft).toBe(false);
});
