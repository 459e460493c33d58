const byName = new Intl.Collator('en', { numeric: true });

/**
 * All files that were dropped. Those of folders too, in the order of their paths, which become their names: `a/same.jpg`
 * and `b/same.jpg` could not be told apart otherwise. To be called while the event is handled.
 */
export async function droppedFiles(data: DataTransfer): Promise<File[]> {
  // The list is emptied when the event is over: the entries have to be taken before the first wait.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return [...data.files];
  const found = await Promise.all(entries.map((entry) => (entry ? filesOf(entry) : [])));
  return found.flat().sort((a, b) => byName.compare(a.name, b.name));
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) {
    const file = await new Promise<File | null>((resolve) => entry.file(resolve, () => resolve(null)));
    return file ? [named(file, entry.fullPath.replace(/^\//, ''))] : [];
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

/** The same file under another name; its bytes stay where they are. */
function named(file: File, name: string): File {
  return new File([file], name, { type: file.type, lastModified: file.lastModified });
}
