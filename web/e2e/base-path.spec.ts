import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect, samplePhotos, test } from './fixtures.ts';

let proxy: Server;
let address: string;

/** A proxy that serves hangtag below /tags and nothing else, as in a shop's intranet. */
test.beforeAll(async ({ browserName }, { project }) => {
  expect(browserName).toBe('chromium');
  const target = new URL(project.use.baseURL ?? '');
  proxy = createServer((asked, answer) => {
    if (!asked.url?.startsWith('/tags/')) return void answer.writeHead(404).end();
    const headers = { ...asked.headers, 'x-forwarded-prefix': '/tags' };
    const { hostname, port } = target;
    const passed = request(
      { hostname, port, path: asked.url.slice('/tags'.length), method: asked.method, headers },
      (found) => {
        answer.writeHead(found.statusCode ?? 502, found.headers);
        found.pipe(answer);
      },
    );
    asked.pipe(passed);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/tags`;
});

test.afterAll(() => proxy.close());

test('the whole page works below a path', async ({ page }) => {
  await page.goto(`${address}/`);
  await page
    .locator('input[type=file]')
    .first()
    .setInputFiles(await samplePhotos(page));
  await expect(page.locator('article.hangtag')).toHaveCount(8);
  await expect(page.locator('article.hangtag .waiting')).toHaveCount(0);
  await page.getByRole('link', { name: 'Models' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Models');
  expect(page.url()).toBe(`${address}/models`);
  await page.reload();
  await page.getByRole('link', { name: 'doubter' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('doubter');
  await page.reload();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('doubter');
  await expect(page.getByRole('link', { name: 'Models', exact: true }).first()).toHaveAttribute(
    'href',
    '/tags/models',
  );
});
