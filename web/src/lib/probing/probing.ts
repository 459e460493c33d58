import { photoImage } from '../api/addresses.ts';
import { answered, api, formOf } from '../api/client.ts';
import { ProblemError } from '../api/problem.ts';
import type { Comparison, ExplainedPhoto, LabelledPhoto } from '../api/types.ts';

/** Every class of every head with its probability, the likeliest first. */
export type Probabilities = NonNullable<LabelledPhoto['probabilities']>;

/** A photo of a product as a file. Throws a `ProblemError`. */
export async function fetchPhoto(photo: { id: string; name: string }): Promise<File> {
  const response = await fetch(photoImage(photo.id)).catch(() => {
    throw ProblemError.unreachable();
  });
  if (!response.ok) throw ProblemError.from(response, undefined);
  const blob = await response.blob();
  return new File([blob], photo.name, { type: blob.type });
}

/** What a model says about a photo, with all probabilities. Throws a `ProblemError`. */
export async function askModel(photo: File, model: string | undefined): Promise<LabelledPhoto> {
  const form = formOf({ photos: [photo], model, top_k: 1, probabilities: true });
  const call = api.POST('/api/v1/predictions', { body: form as never, bodySerializer: () => form });
  const [answer] = (await answered(call)).photos;
  if (!answer || answer.status === 'failed')
    throw new ProblemError(answer?.detail ?? '', 200, answer?.reason ?? 'unreadable');
  return answer;
}

/** What every model says about a photo. Throws a `ProblemError`. */
export async function askAllModels(photo: File): Promise<Comparison> {
  const form = formOf({ photo, top_k: 3 });
  return answered(
    api.POST('/api/v1/predictions/compare', { body: form as never, bodySerializer: () => form }),
  );
}

/** Pictures of what the labels of a photo rest on. Throws a `ProblemError`. */
export async function askWhatItLookedAt(photo: File, model: string | undefined): Promise<ExplainedPhoto> {
  const form = formOf({ photo, model });
  const call = api.POST('/api/v1/explanations', { body: form as never, bodySerializer: () => form });
  const answer = await answered(call);
  if (answer.status === 'failed') throw new ProblemError(answer.detail, 200, answer.reason);
  return answer;
}
