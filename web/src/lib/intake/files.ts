/** What a person may choose in the file dialog. Phones offer the camera for it. */
export const ACCEPTED = 'image/*,.avif,.bmp,.gif,.heic,.jxl,.tif,.tiff,.webp,.zip,.csv,.tsv,.xlsx,.xlsm,.xls';

const SHEET = /\.(csv|tsv|xls[xm]?)$/i;
const ZIP = /\.zip$/i;
/** In any folder of a path: what computers leave in folders. */
const HIDDEN = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/;
/** What browsers call every picture on the clipboard. */
const PASTED = /^image\.(png|jpe?g)$/i;

/** The files without those that nobody meant. */
export function meant(files: Iterable<File>): File[] {
  return [...files].filter(({ name }) => !HIDDEN.test(name));
}

export function isSheet({ name }: { name: string }): boolean {
  return SHEET.test(name);
}

export function isZip({ name }: { name: string }): boolean {
  return ZIP.test(name);
}

/** The name of a folder that all files come from, else of a zip or a sheet; undefined where nothing names them all. */
export function nameOf(files: readonly File[]): string | undefined {
  const folders = new Set(files.map(({ name }) => (name.includes('/') ? name.split('/')[0] : '')));
  const [folder] = folders;
  if (folders.size === 1 && folder) return folder;
  const naming = files.find(isZip) ?? files.find(isSheet) ?? (files.length === 1 ? files[0] : undefined);
  return naming?.name.replace(/\.[^.]+$/, '');
}

/** The same file under the path that it has in its folder. */
export function withPath(file: File): File {
  const path = file.webkitRelativePath;
  return path ? renamed(file, path) : file;
}

/** Pictures from the clipboard, whose names are all the same, under names that tell them apart. */
export function pasted(files: readonly File[], now: Date): File[] {
  const stamp = now.toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.');
  return files.map((file, place) => {
    const ending = PASTED.exec(file.name)?.[1];
    if (!ending) return file;
    return renamed(file, `pasted ${stamp}${files.length > 1 ? ` (${place + 1})` : ''}.${ending}`);
  });
}

/** Splits files into requests: sheets first, then the first photos quickly, then many at a time. */
export function requestsOf(files: readonly File[], limits = LIMITS): File[][] {
  const order = [...files.filter(isSheet), ...files.filter((file) => !isSheet(file))];
  const requests: File[][] = [];
  let [bytes, most] = [0, limits.first];
  for (const file of order) {
    const last = requests.at(-1);
    const isFull = !last || last.length >= most || bytes + file.size > limits.bytes;
    if (isFull) {
      if (requests.length >= limits.firstRequests) most = limits.files;
      requests.push([file]);
      bytes = file.size;
    } else {
      last.push(file);
      bytes += file.size;
    }
  }
  return requests;
}

/** So many files and bytes go in a request; fewer in the first ones, so that the first tags are there soon. */
const LIMITS = { first: 8, firstRequests: 2, files: 40, bytes: 24_000_000 };

function renamed(file: File, name: string): File {
  return new File([file], name, { type: file.type, lastModified: file.lastModified });
}
