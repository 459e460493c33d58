/** Where a page is looked at, and how tall it is. */
export interface ScrollPlace {
  y: number;
  height: number;
}

/** So many frames a page has to become as tall as it was. */
const FRAMES = 60;

/** A list that has drawn no row yet takes its height for a tenth of what it is; one that has is hardly wrong. */
const NEARLY = 0.9;

export function scrollPlace(): ScrollPlace {
  return { y: scrollY, height: document.documentElement.scrollHeight };
}

/** Brings the window back to a place of a page whose lists are still being drawn, once it is as tall as it was. */
export function scrollBack(place: ScrollPlace, frames = FRAMES): void {
  const height = document.documentElement.scrollHeight;
  const drawn = height >= place.y + innerHeight && height >= NEARLY * place.height;
  if (drawn || frames === 0) scrollTo({ top: place.y, behavior: 'instant' });
  else requestAnimationFrame(() => scrollBack(place, frames - 1));
}
