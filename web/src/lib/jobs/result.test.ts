import { expect, it } from 'vitest';

import type { Taxonomy } from '../api/types.ts';
import { correctionOf, describeResult, type LabelledResult } from './result.ts';

const label = (value: string, confidence: number) => ({ value, confidence, candidates: [] });
const result: LabelledResult = {
  position: 0,
  photo: 'a.jpg',
  status: 'labelled',
  path: ['Apparel', 'Topwear', 'Tops'],
  answer: ['Apparel', 'Topwear'],
  answer_level: 'subCategory',
  flags: [],
  labels: {
    masterCategory: label('Apparel', 0.99),
    subCategory: label('Topwear', 0.9),
    articleType: label('Tops', 0.5),
    season: label('Fall', 0.4),
  },
  doubtful: ['articleType', 'season'],
  corrections: {},
};

it('takes the path from the root to the leaf, and the leaf’s confidence', () => {
  const said = describeResult(result);
  expect(said.path.map(({ value }) => value)).toEqual(['Apparel', 'Topwear', 'Tops']);
  expect(said.attributes).toEqual([{ column: 'season', value: 'Fall', isDoubtful: true, isSure: true }]);
  expect(said).toMatchObject({ confidence: 0.5, isDoubtful: true, isCorrected: false });
});

it('shows a correction in the path that the service answers with', () => {
  const path = ['Apparel', 'Topwear', 'Tshirts'];
  const corrections = { articleType: 'Tshirts' };
  const said = describeResult({ ...result, path, answer: path, doubtful: ['season'], corrections });
  expect(said.path.at(-1)).toEqual({
    column: 'articleType',
    value: 'Tshirts',
    isDoubtful: false,
    isSure: true,
  });
  expect(said).toMatchObject({ isDoubtful: false, isCorrected: true });
});

it('is in doubt where the answer ends before the leaf', () => {
  const said = describeResult({ ...result, doubtful: [] });
  expect(said.path.map(({ isSure }) => isSure)).toEqual([true, true, false]);
  expect(said.isDoubtful).toBe(true);
});

it('has something to say where the model answers no category', () => {
  const said = describeResult({ ...result, labels: { season: label('Fall', 0.4) }, doubtful: [] });
  expect(said).toMatchObject({ path: [], confidence: 0.4 });
});

it('says the whole path with a guess, also where no other level of it stands', () => {
  const taxonomy = {
    levels: ['masterCategory', 'subCategory', 'articleType'],
    paths: [
      ['Apparel', 'Topwear', 'Tops'],
      ['Apparel', 'Dress', 'Dresses'],
      ['Apparel', 'Apparel Set', 'Dresses'],
    ],
    columns: {},
  } as unknown as Taxonomy;
  expect(correctionOf(result, taxonomy, 'articleType', 'Dresses')).toEqual({
    masterCategory: 'Apparel',
    subCategory: 'Dress',
    articleType: 'Dresses',
  });
  expect(correctionOf(result, taxonomy, 'season', 'Summer')).toEqual({ season: 'Summer' });
  const { masterCategory = label('', 0), articleType = label('', 0) } = result.labels;
  const without = { ...result, labels: { masterCategory, articleType } };
  expect(correctionOf(without, taxonomy, 'articleType', 'Dresses')).toEqual({
    masterCategory: 'Apparel',
    articleType: 'Dresses',
  });
});
