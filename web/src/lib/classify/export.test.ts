import { describe, expect, it, vi } from 'vitest';

import { downloadLabels } from './download.ts';
import { failed, labelled, labelledPhoto, photoNamed, TEE } from './made-up.ts';
import { labelTable } from './table.ts';

function made() {
  const tee = labelledPhoto('tee, red.jpg', TEE, ['articleType', 'gender']);
  tee.answer = labelled('tee, red.jpg', TEE, ['articleType', 'gender'], ['too_dark', 'blurred']);
  tee.corrections = { gender: 'Women' };
  const broken = photoNamed('=cmd.jpg');
  broken.answer = failed('=cmd.jpg');
  return [tee, broken];
}

describe('the table of labels', () => {
  it('has the columns of the command line, then doubts and corrections', () => {
    const { columns, rows } = labelTable(made());
    expect(columns.slice(0, 5).map(({ name }) => name)).toEqual([
      'path',
      'status',
      'reason',
      'masterCategory',
      'masterCategory_confidence',
    ]);
    expect(columns.slice(-5).map(({ name, type }) => [name, type])).toEqual([
      ['answer', 'text'],
      ['answer_level', 'text'],
      ['flags', 'list'],
      ['doubtful', 'list'],
      ['corrected', 'list'],
    ]);
    expect(columns[4]?.type).toBe('confidence');
    expect(rows[0]?.slice(-7)).toEqual([
      'Women',
      null,
      'Apparel › Topwear',
      'subCategory',
      ['too_dark', 'blurred'],
      ['articleType'],
      ['gender'],
    ]);
    expect(rows[1]?.slice(0, 4)).toEqual(['=cmd.jpg', 'failed', 'truncated', null]);
    expect(rows.every((row) => row.length === columns.length)).toBe(true);
  });

  it('has what a person set in columns that the model does not have', () => {
    const photo = labelledPhoto('a.jpg', { masterCategory: ['Apparel', 0.9] });
    photo.corrections = { masterCategory: 'Footwear', subCategory: 'Sandal', articleType: 'Sandals' };
    const { columns, rows } = labelTable([photo]);
    const cell = (wanted: string) => rows[0]?.[columns.findIndex(({ name }) => name === wanted)];
    expect([cell('articleType'), cell('articleType_confidence'), cell('answer')]).toEqual([
      'Sandals',
      null,
      'Footwear › Sandal › Sandals',
    ]);
    expect(cell('corrected')).toEqual(['masterCategory', 'subCategory', 'articleType']);
  });
});

it('a download is rendered by the service', async () => {
  const asked = vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response('path\n'));
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:here');
  await downloadLabels(made(), 'xlsx');
  const request = asked.mock.calls[0]?.[0] as Request;
  expect(new URL(request.url).pathname).toBe('/api/v1/exports');
  expect(await request.json()).toMatchObject({ format: 'xlsx', name: 'labels', ...labelTable(made()) });
});

it('a download that the service cannot render is an error', async () => {
  vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('no connection'));
  await expect(downloadLabels(made(), 'csv')).rejects.toMatchObject({ code: 'unreachable' });
});
