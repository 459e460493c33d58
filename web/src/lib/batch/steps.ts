/** Where a key leads from a tag in a grid of so many columns; undefined where it leads nowhere. */
export function step(key: string, from: number, columns: number, total: number): number | undefined {
  const moves: Record<string, number> = {
    ArrowLeft: from - 1,
    ArrowRight: from + 1,
    ArrowUp: from - columns,
    ArrowDown: from + columns,
    Home: 0,
    End: total - 1,
  };
  const to = moves[key];
  if (to === undefined || total === 0) return undefined;
  // From the last full row, down leads to the end of a shorter one.
  if (key === 'ArrowDown' && to >= total)
    return Math.floor(from / columns) < Math.floor((total - 1) / columns) ? total - 1 : from;
  return to < 0 || to >= total ? from : to;
}
