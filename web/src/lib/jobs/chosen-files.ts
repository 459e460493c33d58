import { count } from '../ui/numbers.ts';

const TABLE = /\.(csv|tsv|txt|xlsx)$/i;
const ZIP = /\.zip$/i;

export interface Described {
  /** `40 photos, 1 zip and 1 table`. */
  words: string;
  /** Bytes of all. */
  size: number;
  /** What the batch is called unless somebody names it. */
  title: string;
  /** Why it cannot be sent like this, null if it can. */
  problem: string | null;
}

/** Looks over the files of a batch before they are sent. */
export function describeFiles(files: readonly File[]): Described {
  const tables = files.filter(({ name }) => TABLE.test(name));
  const zips = files.filter(({ name }) => ZIP.test(name));
  const photos = files.length - tables.length - zips.length;
  const parts = [
    photos > 0 && count(photos, 'photo'),
    zips.length > 0 && count(zips.length, 'zip'),
    tables.length > 0 && count(tables.length, 'table'),
  ].filter((part) => part !== false);
  return {
    words: new Intl.ListFormat('en-GB').format(parts),
    size: files.reduce((sum, { size }) => sum + size, 0),
    title: (zips[0] ?? tables[0] ?? files[0])?.name ?? '',
    problem: problemOf(tables.length, photos + zips.length),
  };
}

function problemOf(tables: number, others: number): string | null {
  if (tables > 1) return 'Use only one table. Clear the files and choose again.';
  if (others === 0) return 'A table alone has no photos. Add the photos or a zip file of them.';
  return null;
}
