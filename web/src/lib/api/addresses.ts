/** Addresses of the API that the browser itself requests: photos, downloads, event streams. */

import { resolve } from '$app/paths';

/** The path under which the service is reached: empty, or as `/tags` behind a proxy. */
export const basePath = resolve('/').slice(0, -1);

const api = `${basePath}/api/v1`;

export const health = `${basePath}/healthz`;
/** The description of the API for people, and for programs. */
export const apiPage = `${basePath}/api/docs`;
export const apiDocument = `${api}/openapi.json`;

export function displayNames(language: string): string {
  return `${api}/names?language=${encodeURIComponent(language)}`;
}

export function cataloguePhoto(name: string): string {
  return `${api}/catalogue/photos/${name.split('/').map(encodeURIComponent).join('/')}`;
}

export function samplePhoto(name: string): string {
  return `${api}/samples/${encodeURIComponent(name)}`;
}

/** A photo of a product, small; `size` is its longer edge in pixels. */
export function thumbnail(photo: string, size: 160 | 480): string {
  return `${api}/photos/${encodeURIComponent(photo)}/thumbnail?size=${size}`;
}

/** A photo of a product as large as it is, upright. */
export function photoImage(photo: string): string {
  return `${api}/photos/${encodeURIComponent(photo)}/image`;
}

export function batchEvents(batch: string): string {
  return `${api}/batches/${encodeURIComponent(batch)}/events`;
}
