import { describe, expect, it, vi } from 'vitest';

import { compare } from './comparison.ts';
import { leftOut, sortFiles } from './intake.ts';
import { labelled, photoNamed, TEE } from './made-up.ts';
import { Thumbnails } from './thumbnails.ts';

const named = (name: string) => new File(['x'], name);

describe('sortFiles', () => {
  it('takes photos, tells archives and tables apart, and leaves what nobody meant', () => {
    const sorted = sortFiles(
      ['a.JPG', 'b.zip', 'c.xlsx', 'e.pdf', '.DS_Store', 'Thumbs.db', 'f/.g/h.jpg', 'f/Thumbs.db', 'd'].map(
        named,
      ),
    );
    const names = Object.values(sorted).map((files: File[]) => files.map(({ name }) => name));
    expect(names).toEqual([['a.JPG', 'd'], ['b.zip', 'c.xlsx'], ['e.pdf']]);
  });

  it.each([
    [['a.jpg'], ''],
    [['b.zip', 'c.csv'], 'Skipped 2 files. Add zip files and tables to a job.'],
    [['e.pdf', 'f.txt'], 'Skipped e.pdf and f.txt: not a photo, zip file or table.'],
    [
      ['b.zip', '1.md', '2.md', '3.md', '4.md', '5.md'],
      'Skipped 1 file. Add zip files and tables to a job. ' +
        'Skipped 1.md, 2.md, 3.md and 2 more: not a photo, zip file or table.',
    ],
  ])('says of %s what is left out', (names, said) => expect(leftOut(sortFiles(names.map(named)))).toBe(said));
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
