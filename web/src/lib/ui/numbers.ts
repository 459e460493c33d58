import { number, t } from '../words/words.svelte.ts';

const WHOLE_PERCENT = { style: 'percent' } as const;
const TENTH_PERCENT = { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 } as const;
const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** `97%`. What is not certain never reads as 100%, nor what is possible as 0%. */
export function percent(share: number): string {
  if (share > 0.99 && share < 1) return number(0.99, WHOLE_PERCENT);
  if (share > 0 && share < 0.01) return `<${number(0.01, WHOLE_PERCENT)}`;
  return number(share, WHOLE_PERCENT);
}

/** `97.4%`, for figures of a model. */
export function exactPercent(share: number): string {
  return number(share, TENTH_PERCENT);
}

/** `1,204`. */
export function grouped(amount: number): string {
  return number(amount);
}

/** `1 photo`, `1,204 photos`: English only, for pages whose words are not in the message files yet. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${grouped(amount)} ${amount === 1 ? one : many}`;
}

/** `7.5 MB`, in steps of 1000 as shops and disks count. */
export function bytes(amount: number): string {
  let power = 0;
  while (amount >= 1000 && power < UNITS.length - 1) {
    amount /= 1000;
    power += 1;
  }
  if (power === 0) return t('unit.bytes', { count: amount });
  const digits = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return number(amount, { style: 'unit', unit: UNITS[power] ?? 'byte', ...digits });
}

/** `40 s`, `3 min`, `2 h 05 min`: as exact as anyone waiting needs. */
export function duration(seconds: number): string {
  if (seconds < 60) return t('unit.seconds', { seconds: Math.max(1, Math.round(seconds)) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return t('unit.minutes', { minutes });
  return t('unit.hours', {
    hours: Math.floor(minutes / 60),
    minutes: number(minutes % 60, { minimumIntegerDigits: 2 }),
  });
}
