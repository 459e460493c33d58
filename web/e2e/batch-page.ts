import type { Locator, Page } from '@playwright/test';

import { expect, samplePhotos, type NamedFile } from './fixtures.ts';

/** A batch as a person uses it. */
export class BatchPage {
  readonly tags: Locator;

  constructor(readonly page: Page) {
    this.tags = page.locator('article.hangtag');
  }

  /** Brings files to the start page, which makes a batch of them and leads there. */
  async bring(files: NamedFile[]): Promise<void> {
    await this.page.goto('/');
    await this.page.locator('input[type=file]').first().setInputFiles(files);
    await this.page.waitForURL(/\/batches\/./);
  }

  /** A batch of the eight sample photos, under names of its own, all of them labelled. */
  async withSamples(name: string, more: NamedFile[] = []): Promise<void> {
    const samples = await samplePhotos(this.page);
    await this.bring([...samples.map((photo) => ({ ...photo, name: `${name}/${photo.name}` })), ...more]);
    await this.labelled(8 + more.length);
  }

  async labelled(count: number): Promise<void> {
    await expect(this.tags).toHaveCount(count);
    // The first photos wait for the model to be loaded.
    await expect(this.page.locator('article.hangtag .waiting')).toHaveCount(0, { timeout: 60_000 });
  }

  tag(name: string): Locator {
    return this.page.locator(`article.hangtag[aria-label^="${name}"]`);
  }

  async view(name: 'Tags' | 'Table' | 'Review'): Promise<void> {
    await this.page.getByRole('radio', { name, exact: true }).check();
  }

  state(name: string): Locator {
    return this.page
      .getByRole('group', { name: 'State' })
      .getByRole('button', { name: new RegExp(`^${name}`) });
  }

  /** Chooses a value in the type-ahead that is open. */
  async choose(typed: string): Promise<void> {
    const field = this.page.getByRole('combobox');
    await field.fill(typed);
    await field.press('Enter');
    await expect(field).toHaveCount(0);
  }
}
