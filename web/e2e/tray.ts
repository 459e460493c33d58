import { readFile } from 'node:fs/promises';

import type { Locator, Page } from '@playwright/test';

import { expect, samplePhotos, type NamedFile } from './fixtures.ts';

/** The Classify page as a person uses it. */
export class TrayPage {
  readonly tags: Locator;

  constructor(readonly page: Page) {
    this.tags = page.locator('article.tag');
  }

  async open(): Promise<void> {
    await this.page.goto('/');
    await expect(this.page.getByRole('heading', { name: 'Classify' })).toBeVisible();
  }

  tag(name: string): Locator {
    return this.page.locator(`article.tag[aria-label^="${name}:"]`);
  }

  filter(name: string): Locator {
    return this.page.getByRole('radio', { name: new RegExp(name) });
  }

  async choose(files: NamedFile[]): Promise<void> {
    await this.page.locator('input[type=file][multiple]').setInputFiles(files);
  }

  /** Waits until no photo is under way. */
  async settled(): Promise<void> {
    await expect(this.page.getByRole('progressbar')).toHaveCount(0);
  }

  /** Opens the page with all sample photos labelled. */
  async withSamples(more: NamedFile[] = []): Promise<void> {
    await this.open();
    await this.choose([...(await samplePhotos(this.page)), ...more]);
    await this.settled();
  }

  /** Chooses from the menu Export. */
  async export(item: RegExp): Promise<void> {
    await this.page.getByRole('button', { name: 'Export' }).click();
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  /** The bytes of a file that Export gives. */
  async exported(item: RegExp): Promise<Buffer> {
    const download = this.page.waitForEvent('download');
    await this.export(item);
    return readFile(await (await download).path());
  }

  async useModel(name: string): Promise<void> {
    await this.page.getByRole('button', { name: /^Model/ }).click();
    await this.page.getByRole('radio', { name: new RegExp(name) }).check();
    await this.page.getByRole('button', { name: 'Done' }).click();
  }
}

/** Fails where the filter bar, which stays in view, covers a tag. */
export async function expectBelowFilters(tag: Locator): Promise<void> {
  const bar = await tag.page().getByRole('group', { name: 'Filter and sort' }).boundingBox();
  const place = await tag.boundingBox();
  expect(place?.y).toBeGreaterThanOrEqual((bar?.y ?? 0) + (bar?.height ?? 0));
}

/** A white page: a photo that shows nothing. */
export const blank: NamedFile = {
  name: 'blank.png',
  mimeType: 'image/png',
  buffer: Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAADwAAABQCAAAAABgoUmPAAAAK0lEQVR42u3LsQ0AAAgDoOr/P+sPbiawU5O7jizLsizLsizLsizLsiy/ygsFeAGfVj9KewAAAABJRU5ErkJggg==',
    'base64',
  ),
};

export const broken: NamedFile = {
  name: 'broken.jpg',
  mimeType: 'image/jpeg',
  buffer: Buffer.from('this was never a photo'),
};
