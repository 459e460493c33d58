import { expect, it } from 'vitest';

import { accuracySeries, columnsOf, lossSeries } from './history.ts';

const history = [
  {
    epoch: 1,
    train_loss: 1.2,
    validation_loss: null,
    train_top1_accuracy: 0.6,
    validation_gender_top1_accuracy: 0.8,
  },
  {
    epoch: 2,
    train_loss: 0.8,
    validation_loss: 0.7,
    train_top1_accuracy: 0.8,
    validation_gender_top1_accuracy: 0.9,
  },
];

it('knows which columns were noted on their own', () => expect(columnsOf(history)).toEqual(['gender']));

it('leaves out what was not measured', () => {
  expect(lossSeries(history)).toEqual([
    {
      name: 'training',
      tone: 'ink',
      points: [
        { x: 1, y: 1.2 },
        { x: 2, y: 0.8 },
      ],
    },
    { name: 'validation', tone: 'accent', points: [{ x: 2, y: 0.7 }] },
  ]);
  expect(accuracySeries(history).map(({ name }) => name)).toEqual(['training']);
});

it('shows one column on the validation photos', () => {
  expect(accuracySeries(history, 'gender').map(({ points }) => points.map(({ y }) => y))).toEqual([
    [0.8, 0.9],
  ]);
});

it('is empty for a model whose training nobody noted', () => {
  expect([columnsOf([]), lossSeries([]), accuracySeries([])]).toEqual([[], [], []]);
});
