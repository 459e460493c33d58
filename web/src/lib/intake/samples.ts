import { samplePhoto } from '../api/addresses.ts';
import { answered, api } from '../api/client.ts';
import { ProblemError } from '../api/problem.ts';

/** The names of the sample photos; none if the service cannot be asked. */
export async function listSamples(): Promise<string[]> {
  try {
    return (await answered(api.GET('/api/v1/samples'))).photos;
  } catch {
    return []; // The samples are an offer: without them the page works as well.
  }
}

/** The sample photos as files, as if they had been picked. Throws a `ProblemError`. */
export async function fetchSamples(names: readonly string[]): Promise<File[]> {
  return Promise.all(names.map(fetchSample));
}

async function fetchSample(name: string): Promise<File> {
  const response = await fetch(samplePhoto(name)).catch(() => {
    throw ProblemError.unreachable();
  });
  if (!response.ok) throw ProblemError.from(response, undefined);
  const blob = await response.blob();
  return new File([blob], name, { type: blob.type });
}
