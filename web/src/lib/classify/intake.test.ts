import { describe, expect, it, vi } from 'vitest';

import { compare } from './comparison.ts';
import { failureWords } from './failure.ts';
import { sortFiles } from './intake.ts';
import { failed, labelled, photoNamed, TEE } from './made-up.ts';
import { Thumbnails } from './thumbnails.ts';

const named = (name: string) => new File(['x'], name);

describe('sortFiles', () => {
  it('takes photos, tells archives and tables apart, and leaves what nobody meant', () => {
    const { photos, others } = sortFiles(
      ['a.JPG', 'b.zip', 'c.xlsx', '.DS_Store', 'Thumbs.db', 'd'].map(named),
    );
    expect(photos.map(({ name }) => name)).toEqual(['a.JPG', 'd']);
    expect(others.map(({ name }) => name)).toEqual(['b.zip', 'c.xlsx']);
  });
});

describe('failureWords', () => {
  it('leaves the decoder’s words out', () =>
    expect(failureWords(failed('a.jpg') as never)).toBe('the file is cut off; copy it again'));
});

describe('thumbnails', () => {
  it('shows small files as they are and shrinks large ones, each once', async () => {
    vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => `blob:${(blob as Blob).size}`);
    const shrink = vi.fn(async () => new Blob(['small']));
    const thumbnails = new Thumbnails(shrink);
    const [small, large] = [photoNamed('a.jpg', 10), photoNamed('b.jpg', 200_000)];
    for (const photo of [small, large, large, small]) thumbnails.need(photo);
    await vi.waitFor(() => expect(large.thumbnail).toBe('blob:5'));
    expect(small.thumbnail).toBe('blob:10');
    expect(shrink).toHaveBeenCalledTimes(1);
  });

  it('shows the file itself where it cannot be shrunk', async () => {
    vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:file');
    const photo = photoNamed('b.heic', 200_000);
    new Thumbnails(() => Promise.reject(new Error('cannot'))).need(photo);
    await vi.waitFor(() => expect(photo.thumbnail).toBe('blob:file'));
  });
});

describe('compare', () => {
  const model = (id: string) => ({ id, version: '1', name: id });

  it('sets models side by side and marks where they disagree', () => {
    const { models, columns } = compare({
      photo: 'a.jpg',
      answers: [
        { model: model('one'), latency_ms: 3, answer: labelled('a.jpg') },
        {
          model: model('two'),
          latency_ms: 5,
          answer: labelled('a.jpg', { ...TEE, articleType: ['Tops', 0.5] }),
        },
        {
          model: model('old'),
          latency_ms: 9,
          answer: labelled('a.jpg', { masterCategory: ['Apparel', 0.8] }),
        },
      ],
    });
    expect(models.map(({ name, latencyMs }) => [name, latencyMs])).toEqual([
      ['one', 3],
      ['two', 5],
      ['old', 9],
    ]);
    expect(columns.map(({ column, split }) => [column, split])).toEqual([
      ['masterCategory', false],
      ['subCategory', false],
      ['articleType', true],
      ['gender', false],
    ]);
    expect(columns[2]?.labels[2]).toBeUndefined();
  });
});
