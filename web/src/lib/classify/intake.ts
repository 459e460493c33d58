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

/** All files that were dropped, those in folders too. To be called while the event is handled. */
export async function droppedFiles(data: DataTransfer): Promise<File[]> {
  // The list is emptied when the event is over: the entries have to be taken before the first wait.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return [...data.files];
  const found = await Promise.all(entries.map((entry) => (entry ? filesOf(entry) : [])));
  return found.flat();
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) {
    const file = await new Promise<File | null>((resolve) => entry.file(resolve, () => resolve(null)));
    return file ? [file] : [];
  }
  const found: File[] = [];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives at most a hundred entries at a time.
  for (let some = await readSome(reader); some.length > 0; some = await readSome(reader))
    found.push(...(await Promise.all(some.map(filesOf))).flat());
  return found;
}

function readSome(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}
