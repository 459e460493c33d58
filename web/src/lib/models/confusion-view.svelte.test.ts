import { beforeEach, describe, expect, it } from 'vitest';

import { Confusion, type Triple } from './confusion.ts';
import { ConfusionView, MOST_CONFUSED } from './confusion-view.svelte.ts';

const confusion = new Confusion(
  ['Caps', 'Shirts', 'Tshirts'],
  [
    [0, 0, 8],
    [1, 1, 6],
    [1, 2, 4],
    [2, 2, 10],
  ],
);
const branches = [
  { name: 'Apparel', labels: ['Shirts', 'Tshirts'] },
  { name: 'Accessories', labels: ['Caps'] },
];

let view: ConfusionView;
beforeEach(() => {
  view = new ConfusionView(confusion, branches);
});

it('shows all classes in the order of the branches', () =>
  expect(view.labels).toEqual(['Shirts', 'Tshirts', 'Caps']));

it('offers only branches with something to mix up', () =>
  expect(view.branches.map(({ name }) => name)).toEqual(['Apparel']));

it('shows one branch', () => {
  view.show({ kind: 'branch', name: 'Apparel' });
  expect(view.labels).toEqual(['Shirts', 'Tshirts']);
  expect(view.cells).toHaveLength(3);
});

it('starts with the most confused of many classes', () => {
  const names = Array.from({ length: 141 }, (_, index) => `Class ${index}`);
  const counts = names.map((_, index): Triple => [index, (index + 1) % 141, 1 + index]);
  expect(new ConfusionView(new Confusion(names, counts)).labels).toHaveLength(MOST_CONFUSED);
});

describe('the keyboard', () => {
  it('starts in the corner, and stays inside', () => {
    expect(view.move('ArrowUp')).toBe(true);
    expect(view.cursor).toEqual({ row: 0, column: 0 });
    view.move('ArrowLeft');
    expect(view.cursor).toEqual({ row: 0, column: 0 });
  });

  it('moves, and jumps to the ends', () => {
    view.move('ArrowDown');
    view.move('ArrowRight');
    expect(view.chosen).toEqual({ row: 0, column: 1, count: 4, share: 0.4 });
    view.move('End');
    view.move('PageDown');
    expect(view.chosen).toEqual({ row: 2, column: 2, count: 8, share: 1 });
  });

  it('leaves other keys alone', () => {
    expect(view.move('Tab')).toBe(false);
    expect(view.cursor).toBeNull();
  });
});

it('describes a cell without photos', () => {
  view.cursor = { row: 2, column: 0 };
  expect(view.chosen).toEqual({ row: 2, column: 0, count: 0, share: 0 });
});

it('looks at a mistake that is hidden by showing everything', () => {
  view.show({ kind: 'branch', name: 'Apparel' });
  view.lookAt('Caps', 'Shirts');
  expect(view.filter).toEqual({ kind: 'all' });
  expect(view.cursor).toEqual({ row: 2, column: 0 });
});

it('shows the cell under the pointer before the chosen one', () => {
  view.cursor = { row: 0, column: 0 };
  view.hover = { row: 1, column: 1 };
  expect(view.current?.count).toBe(10);
  expect(view.chosen?.count).toBe(6);
});
