import { ARROW } from '../api/taxonomy.ts';
import type { NewClass, OwnClass, ShopTaxonomy } from '../api/shop.ts';
import { columnName, labelName } from '../ui/columns.ts';

/** A class as the list shows it. */
export interface ListedClass {
  attribute: string;
  /** Its name in the model, in exports and in the API. */
  name: string;
  /** What people see. */
  label: string;
  own: OwnClass | null;
}

/** Classes that stand together: the leaves of a branch, or the values of an attribute. */
export interface ClassGroup {
  /** The branch as one text, or the attribute. */
  id: string;
  title: string;
  /** Where a new class of this group is made. */
  place: { path: string[] } | { attribute: string };
  classes: ListedClass[];
}

/** All classes by branch and attribute: what a search names and, if asked for, the shop's own alone. */
export function groupsOf(taxonomy: ShopTaxonomy, search = '', ownOnly = false): ClassGroup[] {
  const leaf = taxonomy.levels.at(-1) ?? '';
  const wanted = search.trim().toLocaleLowerCase();
  const isShown = ({ name, label, own }: ListedClass) =>
    (!ownOnly || own !== null) && [name, label].some((text) => text.toLocaleLowerCase().includes(wanted));
  const listed = (attribute: string, name: string): ListedClass => {
    const own = taxonomy.own.find((known) => known.attribute === attribute && known.name === name) ?? null;
    return { attribute, name, label: labelName(attribute, name), own };
  };
  const branches = new Map<string, ClassGroup>();
  for (const path of taxonomy.paths) {
    const parents = path.slice(0, -1);
    const id = parents.join(ARROW);
    const title = parents.map((name, level) => labelName(taxonomy.levels[level] ?? '', name)).join(ARROW);
    const group = branches.get(id) ?? { id, title, place: { path: parents }, classes: [] };
    group.classes.push(listed(leaf, path.at(-1) ?? ''));
    branches.set(id, group);
  }
  const others = Object.keys(taxonomy.columns)
    .filter((column) => !taxonomy.levels.includes(column))
    .map((attribute) => ({
      id: attribute,
      title: columnName(attribute),
      place: { attribute },
      classes: (taxonomy.columns[attribute] ?? []).map((name) => listed(attribute, name)),
    }));
  return [...branches.values(), ...others]
    .map((group) => ({ ...group, classes: group.classes.filter(isShown) }))
    .filter(({ classes }) => classes.length > 0);
}

/** What the service is asked for to make a class in a group. */
export function newClassIn(place: ClassGroup['place'], name: string): NewClass {
  return { ...place, name };
}
