import { count } from '../ui/numbers.ts';

/** What a person may choose in the file dialog. Phones offer the camera for it. */
export const ACCEPTED = 'image/*,.avif,.bmp,.gif,.heic,.jpeg,.jpg,.jxl,.png,.tif,.tiff,.webp';

const FOR_JOBS = /\.(zip|csv|tsv|xls[xm])$/i;
const OF_NO_USE = /\.(xls|jsonl?|pdf|txt|md|docx?|parquet)$/i;
/** In any folder of a path. */
const HIDDEN = /(^|\/)(\.|Thumbs\.db$|desktop\.ini$)/;
const MOST_NAMED = 3;

export interface Sorted {
  photos: File[];
  /** Archives and tables: they belong into a job. */
  forJobs: File[];
  /** What neither a table of photos nor a job can do anything with. */
  useless: File[];
}

/** Tells photos from what a job is for; what is neither goes along, to get its reason from the service. */
export function sortFiles(files: Iterable<File>): Sorted {
  const sorted: Sorted = { photos: [], forJobs: [], useless: [] };
  for (const file of files) {
    if (HIDDEN.test(file.name)) continue;
    if (FOR_JOBS.test(file.name)) sorted.forJobs.push(file);
    else if (OF_NO_USE.test(file.name)) sorted.useless.push(file);
    else sorted.photos.push(file);
  }
  return sorted;
}

/** Which files were left out and why; nothing where none was. */
export function leftOut({ forJobs, useless }: Sorted): string {
  const parts = [];
  if (forJobs.length > 0)
    parts.push(`Skipped ${count(forJobs.length, 'file')}. Add zip files and tables to a job.`);
  if (useless.length > 0) parts.push(`Skipped ${namesOf(useless)}: not a photo, zip file or table.`);
  return parts.join(' ');
}

function namesOf(files: readonly File[]): string {
  const names = files.slice(0, MOST_NAMED).map(({ name }) => name);
  const more = files.length - names.length;
  if (more > 0) names.push(`${more} more`);
  return new Intl.ListFormat('en-GB').format(names);
}
