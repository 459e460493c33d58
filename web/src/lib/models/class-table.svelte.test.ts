import { beforeEach, expect, it } from 'vitest';

import { ClassTable } from './class-table.svelte.ts';
import type { ClassFigures } from './figures.ts';

const figures = (label: string, support: number, precision: number | null): ClassFigures => ({
  label,
  support,
  answered: support,
  precision,
  recall: 0.5,
  f1: 0.5,
});

let table: ClassTable;
beforeEach(() => {
  const rows = [figures('Tops', 40, 0.6), figures('Ties', 10, null), figures('Belts', 70, 0.9)];
  table = new ClassTable(() => rows);
});
const labels = () => table.rows.map(({ label }) => label);

it('starts with the most frequent class', () => expect(labels()).toEqual(['Belts', 'Tops', 'Ties']));

it('sorts names from A and turns round', () => {
  table.sortBy('label');
  expect(labels()).toEqual(['Belts', 'Ties', 'Tops']);
  table.sortBy('label');
  expect(labels()).toEqual(['Tops', 'Ties', 'Belts']);
});

it('keeps what has no figure at the end, in both directions', () => {
  table.sortBy('precision');
  expect(labels()).toEqual(['Belts', 'Tops', 'Ties']);
  table.sortBy('precision');
  expect(labels()).toEqual(['Tops', 'Belts', 'Ties']);
});

it('finds classes by a part of their name', () => {
  table.search = ' TI';
  expect(labels()).toEqual(['Ties']);
});
