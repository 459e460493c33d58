const whole = new Intl.NumberFormat('en');
const tenth = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** `97%`. What is not certain never reads as 100%, nor what is possible as 0%. */
export function percent(share: number): string {
  if (share > 0.99 && share < 1) return '99%';
  if (share > 0 && share < 0.01) return '<1%';
  return `${Math.round(share * 100)}%`;
}

/** `97.4%`, for figures of a model. */
export function exactPercent(share: number): string {
  return `${tenth.format(share * 100)}%`;
}

/** `1,204`. */
export function grouped(amount: number): string {
  return whole.format(amount);
}

/** `1 photo`, `1,204 photos`. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${grouped(amount)} ${amount === 1 ? one : many}`;
}

/** `7.5 MB`, in steps of 1000 as shops and disks count. */
export function bytes(amount: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let power = 0;
  while (amount >= 1000 && power < units.length - 1) {
    amount /= 1000;
    power += 1;
  }
  return `${power === 0 ? whole.format(amount) : tenth.format(amount)} ${units[power] ?? ''}`;
}

/** `40 s`, `3 min`, `2 h 05 min`: as exact as anyone waiting needs. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
