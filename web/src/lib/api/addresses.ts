/** Addresses of the API that the browser asks itself: pictures, downloads, event streams. */

const base = '/api/v1';

export function cataloguePhoto(name: string): string {
  return `${base}/catalogue/photos/${name.split('/').map(encodeURIComponent).join('/')}`;
}

export function jobPhoto(job: string, position: number): string {
  return `${base}/jobs/${encodeURIComponent(job)}/photos/${position}`;
}

export function jobEvents(job: string): string {
  return `${base}/jobs/${encodeURIComponent(job)}/events`;
}

export function jobDownload(job: string, format: 'csv' | 'xlsx' | 'jsonl'): string {
  return `${base}/jobs/${encodeURIComponent(job)}/download?format=${format}`;
}
