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
