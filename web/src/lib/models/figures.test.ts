import { describe, expect, it } from 'vitest';

import { coverageSeries, readFigures, sharedColumn } from './figures.ts';

const head = { top1_accuracy: 0.9, support: 10 };

it('puts the test split first, and splits of other names last', () => {
  const metrics = {
    elsewhere: { heads: {} },
    validation: { heads: {} },
    custom: { heads: {} },
    test: { heads: {} },
  };
  expect(readFigures(metrics).map(({ split }) => split)).toEqual([
    'test',
    'custom',
    'validation',
    'elsewhere',
  ]);
});

it('names the heads and adds up the photos that failed', () => {
  const photos = { labelled: 10, failed: { truncated: 2, empty: 1 } };
  const [test] = readFigures({ test: { heads: { gender: head }, photos, split: { strategy: 'grouped' } } });
  expect(test).toMatchObject({
    photos: 10,
    failed: 3,
    strategy: 'grouped',
    heads: [{ column: 'gender', ...head }],
  });
});

it('leaves out what is no set of figures', () => {
  expect(readFigures({ note: 'measured by hand', test: { heads: [] }, validation: null })).toEqual([]);
});

it('says null for what a card does not say', () => {
  const [test] = readFigures({ test: { heads: { gender: head } } });
  expect(test).toMatchObject({
    strategy: null,
    photos: 0,
    failed: 0,
    mean_top1_accuracy: null,
    all_right: null,
  });
});

it('draws the curve of coverage in per cent of the photos', () => {
  const curve = [
    { coverage: 0.02, accuracy: 1, confidence: 0.99 },
    { coverage: 1, accuracy: 0.9, confidence: 0.2 },
  ];
  expect(coverageSeries(curve)).toEqual([
    {
      name: 'right',
      tone: 'accent',
      points: [
        { x: 2, y: 1 },
        { x: 100, y: 0.9 },
      ],
    },
  ]);
});

describe('the column that models are compared by', () => {
  const model = (...columns: string[]) => ({
    figures: { heads: Object.fromEntries(columns.map((column) => [column, { top1_accuracy: 0.9 }])) },
  });
  const shared = (...models: ReturnType<typeof model>[]) =>
    sharedColumn(models as unknown as Parameters<typeof sharedColumn>[0]);

  it('is the deepest level that all of them know', () => {
    expect(shared(model('masterCategory', 'articleType', 'gender'), model('masterCategory'))).toBe(
      'masterCategory',
    );
    expect(shared(model('gender', 'masterCategory', 'articleType'))).toBe('articleType');
  });

  it('is none where they have none in common', () =>
    expect(shared(model('gender'), model('season'))).toBeUndefined());

  it('does not ask for figures of a model that was never measured', () =>
    expect(sharedColumn([{ figures: null }, ...[model('gender')]] as never)).toBe('gender'));
});
