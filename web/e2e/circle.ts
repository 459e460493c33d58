/**
 * What a shop does with hangtag in its first hour, as a person at a keyboard: drop photos, check what teaches most, look
 * at what was learnt, make a class, use a version, roll it back, take it away. `bench/circle.py` starts it.
 *
 *     node e2e/circle.ts '{"url": "http://127.0.0.1:8080", "photos": [...], "truth": {...}, ...}'
 *
 * Prints the figures as JSON.
 */
import { chromium, type Page } from '@playwright/test';

interface Given {
  url: string;
  /** The photos to drop. */
  photos: string[];
  /** The article type of each photo, by the name of its product. */
  truth: Record<string, string>;
  checks: number;
  created: string;
  bundle: string;
  /** Where screenshots go, if anywhere. */
  screens: string | null;
}

interface Product {
  id: string;
  name: string;
  state: string;
  label: Record<string, { value: string; candidates: { value: string }[] }>;
}

const given = JSON.parse(process.argv[2] ?? '{}') as Given;
const started = performance.now();
const times: Record<string, number> = {};
const browser = await chromium.launch({
  executablePath: process.env.HANGTAG_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage({
  baseURL: given.url,
  locale: 'en-GB',
  viewport: { width: 1440, height: 1000 },
});
page.setDefaultTimeout(60_000);
page.on('pageerror', (error) => console.error('the page:', error.message));
page.on('response', (response) => {
  if (response.status() >= 400) console.error(response.status(), response.url());
});

function lap(name: string): void {
  const total = Object.values(times).reduce((sum, seconds) => sum + seconds, 0);
  times[name] = Math.round(performance.now() - started) / 1000 - total;
}

async function shot(name: string): Promise<void> {
  if (given.screens) await page.screenshot({ path: `${given.screens}/${name}.png` });
}

process.on('uncaughtException', (error) => {
  void shot('failed').finally(() => {
    console.error(error);
    process.exit(1);
  });
});

async function ask<Answer>(path: string): Promise<Answer> {
  return (await (await page.request.get(`/api/v1${path}`)).json()) as Answer;
}

async function productsOf(batch: string): Promise<Product[]> {
  const all: Product[] = [];
  for (;;) {
    const found = await ask<{ items: Product[]; total: number }>(
      `/batches/${batch}/products?limit=200&offset=${all.length}`,
    );
    all.push(...found.items);
    if (all.length >= found.total) return all;
  }
}

/** How the batch stands: what needs a person, and how much of what nobody checked is right. */
async function standing(batch: string) {
  const products = (await productsOf(batch)).filter(({ state }) => state === 'to_check');
  const right = products.filter(({ name, label }) => label.articleType?.value === given.truth[name]).length;
  const { total } = await ask<{ total: number }>(`/batches/${batch}/products?needs=any&limit=1`);
  return { unchecked: products.length, needs: total, right: right / Math.max(1, products.length) };
}

/** Answers the product in review by keys alone, as someone who knows what it is. */
async function answer(batch: string, name: string): Promise<void> {
  const [product] = (
    await ask<{ items: Product[] }>(`/batches/${batch}/products?q=${encodeURIComponent(name)}`)
  ).items;
  const truth = given.truth[name] ?? '';
  const said = product?.label.articleType;
  await leaveOutOthers(truth);
  const place = said?.candidates.findIndex(({ value }) => value === truth) ?? -1;
  if (said && said.value !== truth) {
    await page.keyboard.press('t');
    const shown = await page.locator('.review-fields .candidate:not(.other)').count();
    if (place >= 0 && place < shown) await page.keyboard.press(String(place + 1));
    else await type(truth);
  }
  await page.keyboard.press('Enter');
}

async function type(value: string): Promise<void> {
  await page.keyboard.press('o');
  const field = page.getByRole('combobox');
  await field.fill(value);
  await field.press('Enter');
  await field.waitFor({ state: 'detached' });
}

/** Look-alikes that are something else are left out, all together: a person sees that. */
async function leaveOutOthers(truth: string): Promise<void> {
  const names = await page
    .locator('.alike .one')
    .evaluateAll((all) => all.map((one) => (one as HTMLElement).title));
  if (names.some((name) => given.truth[name] !== truth)) await page.keyboard.press('l');
}

async function checkNext(batch: string): Promise<number> {
  const heading = page.locator('.review-fields h2');
  let done = 0;
  for (; done < given.checks; done += 1) {
    await heading.waitFor();
    const name = await heading.innerText();
    await answer(batch, name);
    await page.waitForFunction(
      (before) => document.querySelector('.review-fields h2')?.textContent !== before,
      name,
      { timeout: 30_000 },
    );
    if ((await heading.count()) === 0) return done + 1;
  }
  return done;
}

async function labelled(batch: string): Promise<void> {
  for (;;) {
    const { state, counts } = await ask<{ state: string; counts: { photos: number } }>(`/batches/${batch}`);
    if (state === 'ready' && counts.photos >= given.photos.length) return;
    await page.waitForTimeout(500);
  }
}

async function settled(batch: string): Promise<void> {
  // Until hangtag has learnt from all of it and the labels have followed.
  for (let quiet = 0; quiet < 4;) {
    await page.waitForTimeout(1000);
    const { learning } = await ask<{ learning: unknown }>('/shop');
    const { state } = await ask<{ state: string }>(`/batches/${batch}`);
    quiet = learning === null && state === 'ready' ? quiet + 1 : 0;
  }
}

async function makeClass(page: Page): Promise<string> {
  const title = page.locator('article.hangtag .title');
  await title.first().click();
  await page.getByRole('combobox').fill(given.created);
  await page.getByRole('option', { name: new RegExp(`^Create “${given.created}” in `) }).click();
  await page.getByRole('combobox').waitFor({ state: 'detached' });
  await title.first().filter({ hasText: given.created }).waitFor();
  for (const place of [1, 2]) {
    await title.nth(place).click();
    await page.getByRole('combobox').fill(given.created);
    await page.getByRole('combobox').press('Enter');
    await page.getByRole('combobox').waitFor({ state: 'detached' });
  }
  return title.first().innerText();
}

await page.goto('/');
await page.locator('input[type=file]').first().setInputFiles(given.photos);
await page.waitForURL(/\/batches\/./);
const batch = new URL(page.url()).pathname.split('/').at(-1) ?? '';
await labelled(batch);
lap('dropped and labelled');
const before = await standing(batch);
await shot('1-dropped');
await page.getByRole('button', { name: 'What to check next' }).click();
const checked = await checkNext(batch);
await shot('2-checking');
lap('checked by keyboard');
await settled(batch);
const line = await page.locator('.learn').innerText();
await shot('3-learnt');
lap('learnt');
const after = await standing(batch);
await page.getByRole('radio', { name: 'Tags' }).click({ force: true });
const created = await makeClass(page);
await shot('4-new-class');
lap('a class made');
await page.goto('/shop?part=models');
await page.getByRole('button', { name: 'Learn now' }).click();
const newest = page.locator('.shop-version').first();
await newest.getByText('Candidate').waitFor();
await shot('5-candidate');
await newest.getByRole('button', { name: 'Use this version' }).click();
const reason = page.getByLabel('Why you want to use it anyway');
const used = newest.getByText('In use');
await used.or(reason).first().waitFor();
const refused = await reason.isVisible();
if (refused) {
  await reason.fill('The new class matters more');
  await shot('6-refused');
  await page.getByRole('button', { name: 'Use it anyway' }).click();
}
await used.waitFor();
lap('promoted');
await newest.getByRole('button', { name: 'Roll back' }).click();
await newest.getByRole('button', { name: 'Use this version' }).waitFor();
lap('rolled back');
const download = page.waitForEvent('download');
await newest.getByRole('link', { name: 'Download' }).click();
await (await download).saveAs(given.bundle);
lap('bundle downloaded');
await page.goto('/shop');
await page.waitForTimeout(1000);
await shot('7-shop');
const { accuracy } = await ask<{ accuracy: unknown }>('/shop');
await browser.close();
process.stdout.write(JSON.stringify({ times, before, after, checked, line, created, refused, accuracy }));
