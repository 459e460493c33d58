import { answered, api } from '../api/client.ts';
import { ProblemError } from '../api/problem.ts';

/** Where the service gives out one of its sample photos. */
export function sampleAddress(name: string): string {
  return `/api/v1/samples/${encodeURIComponent(name)}`;
}

/** The names of the sample photos; none where the service cannot say. */
export async function listSamples(): Promise<string[]> {
  try {
    return (await answered(api.GET('/api/v1/samples'))).photos;
  } catch {
    return []; // The page offers samples, it does not need them.
  }
}

/** The sample photos as files, as if a person had picked them. Throws a `ProblemError`. */
export async function fetchSamples(names: readonly string[]): Promise<File[]> {
  return Promise.all(names.map(fetchSample));
}

async function fetchSample(name: string): Promise<File> {
  const response = await fetch(sampleAddress(name)).catch(() => {
    throw ProblemError.unreachable();
  });
  if (!response.ok) throw ProblemError.from(response, undefined);
  const blob = await response.blob();
  return new File([blob], name, { type: blob.type });
}
