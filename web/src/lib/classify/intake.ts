/** What a person may choose in the file dialog. Phones offer the camera for it. */
export const ACCEPTED = 'image/*,.avif,.bmp,.gif,.heic,.jpeg,.jpg,.jxl,.png,.tif,.tiff,.webp';

const NOT_PHOTOS = /\.(zip|csv|tsv|xlsx?|jsonl?|pdf|txt|md|docx?|parquet)$/i;
const HIDDEN = /^(\.|Thumbs\.db$|desktop\.ini$)/;

export interface Sorted {
  photos: File[];
  /** Archives and tables: they belong into a job. */
  others: File[];
}

/** Tells photos from what a job is for; what is neither goes along, to get its reason from the service. */
export function sortFiles(files: Iterable<File>): Sorted {
  const sorted: Sorted = { photos: [], others: [] };
  for (const file of files) {
    if (HIDDEN.test(file.name)) continue;
    (NOT_PHOTOS.test(file.name) ? sorted.others : sorted.photos).push(file);
  }
  return sorted;
}
