// What the person of `morning.py` does in a browser, and how long each step takes. Prints a Markdown table.

import { createRequire } from 'node:module';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const { address, folder, chromium: executablePath, reviewed, web } = JSON.parse(process.argv[2]);
const { chromium } = createRequire(web)('@playwright/test');
const VIEWPORT = { width: 1440, height: 900 };
/** How long a practised person looks at a product before the key, in milliseconds. */
const LOOK_MS = 700;

const filesOf = (name) => readdirSync(join(folder, name)).map((file) => join(folder, name, file));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const tell = (what, found, wanted = '') => console.log(`| ${what} | ${found} | ${wanted} |`);
const seconds = (from) => `${((performance.now() - from) / 1000).toFixed(1)} s`;

const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu'],
});

async function open(name) {
  const context = await browser.newContext({
    baseURL: address,
    locale: 'en-GB',
    viewport: VIEWPORT,
  });
  await context.addInitScript((person) => localStorage.setItem('hangtag.person', person), name);
  await context.addInitScript(() => {
    globalThis.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  return page;
}

async function bring(page, files) {
  await page.goto('/');
  await page.locator('input[type=file]').first().setInputFiles(files);
  await page.waitForURL(/\/batches\/./);
  return new URL(page.url()).pathname.split('/').pop();
}

async function labelled(page, id, photos) {
  for (;;) {
    const batch = await ask(page, `/batches/${id}`);
    if (batch.counts.photos === photos && batch.state === 'ready') return batch;
    await page.waitForTimeout(250);
  }
}

/** What the service says, asked by the page: a connection that was let go of is then opened again. */
function ask(page, path, body) {
  return page.evaluate(
    async ([where, content]) => {
      const csrf = document.cookie.match(/csrf[^=]*=([^;]*)/)?.[1];
      const headers = {
        'Content-Type': 'application/json',
        'X-Hangtag-User': 'Ann',
        ...(csrf && { 'X-CSRF-Token': csrf }),
      };
      const options = content ? { method: 'POST', headers, body: JSON.stringify(content) } : {};
      return (await fetch(`/api/v1${where}`, options)).json();
    },
    [path, body],
  );
}

const view = (page, name) => page.getByRole('radio', { name, exact: true }).check();

/** Presses a key, and gives the milliseconds until a text of the page is another one. */
function react(page, key, selector) {
  return page.evaluate(
    ([pressed, where]) =>
      new Promise((resolve) => {
        const before = document.querySelector(where)?.textContent;
        const from = performance.now();
        const look = () => {
          if (document.querySelector(where)?.textContent !== before) resolve(performance.now() - from);
          else requestAnimationFrame(look);
        };
        document.activeElement?.dispatchEvent(
          new KeyboardEvent('keydown', {
            key: pressed,
            bubbles: true,
            cancelable: true,
          }),
        );
        look();
      }),
    [key, selector],
  );
}

async function scroll(page, pixels) {
  return page.evaluate(async (step) => {
    const frames = [];
    let last = performance.now();
    const scroller = document.scrollingElement;
    for (let frame = 0; frame < 300; frame += 1) {
      scroller.scrollTop += step;
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const now = performance.now();
      frames.push(now - last);
      last = now;
    }
    return frames;
  }, pixels);
}

console.log('| step | found | wanted |\n|---|---|---|');
const page = await open('Ann');
const delivery = filesOf('delivery');
const morning = performance.now();
let from = performance.now();
const id = await bring(page, delivery);
await page.locator('article.hangtag').first().waitFor();
tell('first tag after the drop', seconds(from));
const batch = await labelled(page, id, delivery.length - 1);
tell(
  `${batch.counts.photos} photos and a sheet dropped: ${batch.counts.products} products, all labelled`,
  seconds(from),
);

from = performance.now();
await page.getByRole('button', { name: 'Check columns' }).click();
const dialog = page.getByRole('dialog');
await dialog.locator('.counts strong').first().waitFor();
const matched = await dialog.locator('.counts strong').first().textContent();
await dialog.getByRole('button', { name: 'Use these columns' }).click();
await dialog.waitFor({ state: 'hidden' });
tell(`the sheet mapped: ${matched} products matched`, seconds(from));

await view(page, 'Review');
const place = '.review-view .count span';
await page.locator(place).first().waitFor();
from = performance.now();
const waits = [];
for (let number = 0; number < reviewed; number += 1) {
  await page.waitForTimeout(LOOK_MS);
  waits.push(await react(page, number % 5 === 4 ? 's' : 'Enter', place));
}
const minutes = (performance.now() - from) / 60_000;
tell(`${reviewed} products reviewed by keys, a minute`, (reviewed / minutes).toFixed(0), '≥ 30');
tell('the next product stands there, median', `${median(waits).toFixed(0)} ms`, '≤ 50 ms');
tell('the slowest of them', `${Math.max(...waits).toFixed(0)} ms`, '≤ 50 ms');

await page.goto(`/batches/${id}`); // all products: the review had shown those to check
await page.locator('article.hangtag').first().click();
await page.keyboard.press('Control+a');
await page.getByRole('button', { name: 'Set', exact: true }).click();
await page.getByRole('menuitem', { name: 'Season' }).click();
const field = page.getByRole('combobox');
await field.fill('winter');
const bulk = page.evaluate(
  () =>
    new Promise((resolve) => {
      let from = Infinity;
      addEventListener('keydown', () => (from = performance.now()), {
        capture: true,
        once: true,
      });
      const look = () => {
        const chips = [...document.querySelectorAll('article.hangtag .chips')];
        const passed = performance.now() - from;
        if ((passed > 0 && chips.every((shown) => /Winter/.test(shown.textContent))) || passed > 30_000)
          resolve(passed);
        else requestAnimationFrame(look);
      };
      look();
    }),
);
await field.press('Enter');
const edited = await bulk;
tell(
  `${batch.counts.products} products edited at once, on the screen`,
  `${edited.toFixed(0)} ms`,
  '≤ 300 ms',
);
from = performance.now();
for (let winter = 0; winter < batch.counts.products && performance.now() - from < 60_000;) {
  const counts = await ask(page, `/batches/${id}/counts`);
  winter = counts.attributes.season?.Winter ?? 0;
  await page.waitForTimeout(50);
}
tell('the same, stored', seconds(from));

from = performance.now();
await page.reload();
await page.locator('article.hangtag').first().waitFor();
tell('reload, to the first tag', seconds(from));
tell('layout shift of that', (await page.evaluate(() => globalThis.shift)).toFixed(3), '≤ 0.05');

const other = await open('Ben');
await other.goto(`/batches/${id}`);
await other.locator('article.hangtag').first().waitFor();
const seen = other.waitForFunction(() =>
  /Summer/.test(document.querySelector('article.hangtag .chips').textContent),
);
const first = (await ask(page, `/batches/${id}/products?limit=1`)).items[0].id;
from = performance.now();
await ask(page, `/batches/${id}/decisions`, {
  products: [first],
  set: { season: 'Summer' },
});
await seen;
tell('a second person sees a change', seconds(from), '≤ 2 s');

from = performance.now();
await page.getByRole('button', { name: 'Export' }).click();
const download = page.waitForEvent('download');
await page.getByRole('menuitem', { name: 'Everything for Excel' }).click();
await (await download).path();
tell('the workbook for the shop', seconds(from));
tell('the whole morning', seconds(morning));

const dropped = filesOf('dropped');
from = performance.now();
const second = await bring(page, dropped);
await labelled(page, second, dropped.length);
await page.locator('article.hangtag .waiting').first().waitFor({ state: 'hidden' });
tell(`${dropped.length} photos dropped, to all tags`, seconds(from), '≤ 6 s');

const more = filesOf('more');
await page.locator('input[type=file]').last().setInputFiles(more);
const large = await labelled(page, second, dropped.length + more.length);
await page.goto(`/batches/${second}`);
await page.locator('article.hangtag').first().waitFor();
for (const pixels of [240, 60]) {
  const frames = await scroll(page, pixels);
  const late = frames.filter((frame) => frame > 33).length / frames.length;
  const what = `${large.counts.products} products scrolled, ${pixels} pixels a frame: frames over 33 ms`;
  tell(what, `${(100 * late).toFixed(1)} %`, '≤ 5 %');
}
await browser.close();
