import { expect, it } from 'vitest';

import { droppedFiles } from './dropped.ts';

type Tree = string | { name: string; holds: Tree[] };

/** What a browser tells of a dropped file or folder. */
function entryOf(tree: Tree, above = ''): object {
  if (typeof tree === 'string') {
    const file = new File([above], tree, { type: 'image/jpeg', lastModified: 1 });
    return { isFile: true, fullPath: `${above}/${tree}`, file: (done: (file: File) => void) => done(file) };
  }
  const fullPath = `${above}/${tree.name}`;
  const parts = [tree.holds.map((one) => entryOf(one, fullPath)), []];
  const readEntries = (done: (some: object[]) => void) => done(parts.shift() ?? []);
  return { isDirectory: true, fullPath, createReader: () => ({ readEntries }) };
}

function dropping(...trees: Tree[]): DataTransfer {
  const items = trees.map((tree) => ({ webkitGetAsEntry: () => entryOf(tree) }));
  const files = trees.filter((tree) => typeof tree === 'string').map((name) => new File([], name));
  return { items, files } as unknown as DataTransfer;
}

it('names the files of folders by their paths, and sorts by these', async () => {
  const shop = {
    name: 'shop',
    holds: [
      { name: 'b', holds: ['same.jpg'] },
      { name: 'a', holds: ['same.jpg'] },
    ],
  };
  const files = await droppedFiles(dropping('z2.jpg', shop, 'z10.jpg'));
  expect(files.map(({ name }) => name)).toEqual(['shop/a/same.jpg', 'shop/b/same.jpg', 'z2.jpg', 'z10.jpg']);
  expect([await files[0]?.text(), files[0]?.type, files[0]?.lastModified]).toEqual([
    '/shop/a',
    'image/jpeg',
    1,
  ]);
});

it('leaves files without a folder in the order in which they came', async () => {
  const files = await droppedFiles(dropping('b.jpg', 'a.jpg'));
  expect(files.map(({ name }) => name)).toEqual(['b.jpg', 'a.jpg']);
});
