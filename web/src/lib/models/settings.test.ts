import { expect, it } from 'vitest';

import { toGroups } from './settings.ts';

it('keeps single settings together before the groups', () => {
  expect(
    toGroups({ network: { dropout: 0.2, pretrained: true }, seed: 42, columns: ['gender', 'season'] }),
  ).toEqual([
    {
      name: '',
      entries: [
        ['seed', '42'],
        ['columns', 'gender, season'],
      ],
    },
    {
      name: 'network',
      entries: [
        ['dropout', '0.2'],
        ['pretrained', 'yes'],
      ],
    },
  ]);
});

it('names deeper levels by their way', () => {
  expect(toGroups({ split: { counts: { train: 33708 } } })).toEqual([
    { name: 'split', entries: [['counts train', '33,708']] },
  ]);
});

it('writes nothing for nothing', () => {
  expect(toGroups({ network: {} })).toEqual([]);
  expect(toGroups({ licence: null })[0]?.entries).toEqual([['licence', '–']]);
});
