import { expect, it } from 'vitest';

import { describeFiles } from './chosen-files.ts';

const files = (...names: string[]) => names.map((name) => new File(['123'], name));

it('says what was chosen', () => {
  expect(describeFiles(files('a.jpg', 'b.PNG', 'all.zip', 'list.xlsx'))).toEqual({
    words: '2 photos, 1 zip and 1 table',
    size: 12,
    title: 'all.zip',
    problem: null,
  });
});

it('wants photos beside a table, and one table only', () => {
  expect(describeFiles(files('list.csv')).problem).toContain('Add the photos');
  expect(describeFiles(files('a.csv', 'b.csv', 'c.jpg')).problem).toContain('only one table');
});
