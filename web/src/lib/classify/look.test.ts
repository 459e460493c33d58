import { describe, expect, it, vi } from 'vitest';

import { Look, PHOTO } from './look.svelte.ts';
import { labelledPhoto } from './made-up.ts';

const EXPLAINED = {
  photo: 'tee.jpg',
  status: 'explained',
  model: { id: 'default', name: 'default', version: '1' },
  latency_ms: 140,
  width: 240,
  height: 320,
  labels: [
    { column: 'masterCategory', value: 'Apparel', confidence: 0.99, method: 'occlusion', image: 'data:a' },
    { column: 'articleType', value: 'Tshirts', confidence: 0.9, method: 'occlusion', image: 'data:b' },
  ],
};

function serviceSays(body: unknown, status = 200) {
  return vi
    .spyOn(globalThis, 'fetch')
    .mockImplementation(() =>
      Promise.resolve(
        new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } }),
      ),
    );
}

describe('what the model looked at', () => {
  it('asks the model that gave the labels about the photo', async () => {
    const fetch = serviceSays(EXPLAINED);
    await new Look(labelledPhoto('tee.jpg')).answer.load();
    const request = fetch.mock.calls[0]?.[0] as Request;
    expect(new URL(request.url).pathname).toBe('/api/v1/explanations');
    const form = await request.formData();
    expect(form.get('model')).toBe('default');
    expect((form.get('photo') as File).name).toBe('tee.jpg');
  });

  it('shows the first label until another one, or the photo, is chosen', async () => {
    serviceSays(EXPLAINED);
    const look = new Look(labelledPhoto('tee.jpg'));
    expect([look.chosen, look.label]).toEqual([PHOTO, undefined]);
    await look.answer.load();
    expect([look.chosen, look.label?.value]).toEqual(['masterCategory', 'Apparel']);
    look.chosen = 'articleType';
    expect(look.label?.image).toBe('data:b');
    look.chosen = PHOTO;
    expect(look.label).toBeUndefined();
  });

  it('offers each explained label and the photo', async () => {
    serviceSays(EXPLAINED);
    const look = new Look(labelledPhoto('tee.jpg'));
    await look.answer.load();
    expect(look.options).toEqual([
      { value: 'masterCategory', label: 'Main category' },
      { value: 'articleType', label: 'Article type' },
      { value: PHOTO, label: 'The photo' },
    ]);
  });

  it('says why a photo cannot be opened', async () => {
    serviceSays({ photo: 'tee.jpg', status: 'failed', reason: 'truncated', detail: 'the file is cut off' });
    const look = new Look(labelledPhoto('tee.jpg'));
    await look.answer.load();
    expect(look.answer.problem).toBe('The file is cut off.');
  });

  it('says why there is nothing to show, and shows it after another try', async () => {
    const fetch = serviceSays(
      { code: 'queue_full', detail: '32 photos wait to be explained', fix: 'Try again in a second.' },
      503,
    );
    const look = new Look(labelledPhoto('tee.jpg'));
    await look.answer.load();
    expect(look.answer.problem).toBe('32 photos wait to be explained. Try again in a second.');
    fetch.mockRestore();
    serviceSays(EXPLAINED);
    await look.answer.load();
    expect([look.answer.problem, look.labels.length]).toEqual([undefined, 2]);
  });
});
