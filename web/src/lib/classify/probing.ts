import { answered, api, formOf } from '../api/client.ts';
import type { Comparison, LabelledPhoto } from '../api/types.ts';
import type { Photo } from './photo.svelte.ts';

/** Every class of every head with its probability, for one photo. Throws a `ProblemError`. */
export async function askAllProbabilities(
  photo: Photo,
): Promise<NonNullable<LabelledPhoto['probabilities']>> {
  const form = formOf({ photos: [photo.file], model: photo.modelId, top_k: 1, probabilities: true });
  const call = api.POST('/api/v1/predictions', { body: form as never, bodySerializer: () => form });
  const [answer] = (await answered(call)).photos;
  return (answer?.status === 'labelled' && answer.probabilities) || {};
}

/** What every model says about a photo. Throws a `ProblemError`. */
export async function askAllModels(photo: Photo): Promise<Comparison> {
  const form = formOf({ photo: photo.file, top_k: 3 });
  return answered(
    api.POST('/api/v1/predictions/compare', { body: form as never, bodySerializer: () => form }),
  );
}
