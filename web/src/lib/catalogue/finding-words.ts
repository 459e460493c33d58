import { columnName } from '../ui/columns.ts';

/**
 * What was found, in words. Where it begins with a column or a reason, as in `baseColour: Brown (12); Red (14)`, that
 * is a code of the tables: people read `Colour`.
 */
export function findingWords(message: string): string {
  return message.replace(/^[a-z]\w*(?=: )/i, columnName);
}
