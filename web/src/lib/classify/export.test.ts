import { describe, expect, it } from 'vitest';

import { renderCsv, renderTabs } from './csv.ts';
import { failed, labelled, labelledPhoto, photoNamed, TEE } from './made-up.ts';
import { labelTable } from './table.ts';
import { renderXlsx } from './xlsx.ts';

function made() {
  const tee = labelledPhoto('tee, red.jpg', TEE, ['articleType', 'gender']);
  tee.answer = labelled('tee, red.jpg', TEE, ['articleType', 'gender'], ['too_dark', 'blurred']);
  tee.corrections = { gender: 'Women' };
  const broken = photoNamed('=cmd.jpg');
  broken.answer = failed('=cmd.jpg');
  return [tee, broken];
}

describe('the table of labels', () => {
  it('has the columns of the command line, then doubt and corrections', () => {
    const { header, rows } = labelTable(made());
    expect(header.slice(0, 5)).toEqual([
      'path',
      'status',
      'reason',
      'masterCategory',
      'masterCategory_confidence',
    ]);
    expect(header.slice(-5)).toEqual(['answer', 'answer_level', 'flags', 'doubtful', 'corrected']);
    expect(rows[0]?.slice(-7)).toEqual([
      'Women',
      null,
      'Apparel › Topwear',
      'subCategory',
      'too_dark;blurred',
      'articleType',
      'gender',
    ]);
    expect(rows[1]?.slice(0, 4)).toEqual(['=cmd.jpg', 'failed', 'truncated', null]);
  });
});

it('the table has what a person said in columns that the model does not answer', () => {
  const photo = labelledPhoto('a.jpg', { masterCategory: ['Apparel', 0.9] });
  photo.corrections = { masterCategory: 'Footwear', subCategory: 'Sandal', articleType: 'Sandals' };
  const { header, rows } = labelTable([photo]);
  const cell = (name: string) => rows[0]?.[header.indexOf(name)];
  expect([cell('articleType'), cell('articleType_confidence'), cell('answer'), cell('corrected')]).toEqual([
    'Sandals',
    null,
    'Footwear › Sandal › Sandals',
    'masterCategory|subCategory|articleType',
  ]);
});

describe('CSV', () => {
  it('quotes what needs it', () => {
    const [, first] = renderCsv(labelTable(made())).split('\n');
    expect(first).toBe(
      '"tee, red.jpg",labelled,,Apparel,0.9900,Topwear,0.9500,Tshirts,0.9000,Women,,Apparel › Topwear,subCategory,"too_dark;blurred",articleType,gender',
    );
  });

  it.each(['=1+1', '+1', '-1', '@x', '\tx', '＝1'])('lets no formula start with %s', (text) => {
    const csv = renderCsv({ header: ['path', 'label'], rows: [[text, text]] });
    expect(csv.split('\n')[1]).toContain(`./${text}`);
    expect(csv).toContain(`'${text}`);
    const cells = csv.split('\n')[1]?.replaceAll('"', '').split(',');
    expect(cells?.some((cell) => cell.startsWith(text))).toBe(false);
  });

  it('doubles quotes', () => expect(renderCsv({ header: ['a"b'], rows: [] })).toBe('"a""b"\n'));

  it('keeps cells in their places on the clipboard', () =>
    expect(renderTabs({ header: ['a', 'b'], rows: [['x\ty', 0.5]] })).toBe('a\tb\nx y\t0.5000'));
});

describe('XLSX', () => {
  it('writes text as text and confidences as numbers', async () => {
    const book = await renderXlsx({ header: ['path', 'p'], rows: [['=1+1', 0.25]] });
    const bytes = new Uint8Array(await book.arrayBuffer());
    expect(new TextDecoder().decode(bytes.subarray(0, 2))).toBe('PK');
    const sheet = await unzip(bytes, 'xl/worksheets/sheet1.xml');
    expect(sheet).toContain('<v>0.25</v>');
    expect(sheet).not.toContain('<f>');
    const texts = sheet + (await unzip(bytes, 'xl/sharedStrings.xml'));
    expect(texts).toContain('=1+1');
  });

  it('writes large tables whole', async () => {
    const rows = Array.from({ length: 4000 }, (_, row) => [`photo-${row}.jpg`, 'labelled', row / 4000]);
    const book = await renderXlsx({ header: ['path', 'status', 'p'], rows });
    const sheet = await unzip(new Uint8Array(await book.arrayBuffer()), 'xl/worksheets/sheet1.xml');
    expect(sheet.match(/<row /g)).toHaveLength(4001);
  });
});

/** Reads a deflated member of a zip file through its central directory. */
async function unzip(bytes: Uint8Array, name: string): Promise<string> {
  const { inflateRawSync } = await import('node:zlib');
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length - 46; at += 1) {
    if (view.getUint32(at, true) !== 0x02014b50) continue;
    const length = view.getUint16(at + 28, true);
    if (new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + length)) !== name) continue;
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const data = bytes.subarray(start, start + view.getUint32(at + 20, true));
    return view.getUint16(at + 10, true) === 0
      ? new TextDecoder().decode(data)
      : inflateRawSync(data).toString();
  }
  return '';
}
