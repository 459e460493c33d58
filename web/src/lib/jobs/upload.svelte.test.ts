import { beforeEach, expect, it } from 'vitest';

import { Upload, type Request } from './upload.svelte.ts';

class FakeRequest extends EventTarget {
  upload = new EventTarget();
  status = 0;
  responseText = '';
  sent: FormData | null = null;
  open(): void {}
  send(form: FormData): void {
    this.sent = form;
  }
  abort(): void {
    this.dispatchEvent(new Event('abort'));
  }
  getResponseHeader(): null {
    return null;
  }
  answer(status: number, body: string): void {
    [this.status, this.responseText] = [status, body];
    this.dispatchEvent(new Event('load'));
  }
}

const files = [new File(['12345'], 'a.jpg'), new File(['123'], 'b.zip')];

let request: FakeRequest;
let upload: Upload;
beforeEach(() => {
  request = new FakeRequest();
  upload = new Upload(() => request as unknown as Request);
});

it('sends the files, and says how far it is', async () => {
  const job = upload.send({ files, title: '' });
  expect(upload.progress).toEqual({ sent: 0, total: 8 });
  request.upload.dispatchEvent(new ProgressEvent('progress', { loaded: 6, total: 900 }));
  expect(upload.progress).toEqual({ sent: 6, total: 8 });
  request.answer(202, '{"id":"7"}');
  expect(await job).toEqual({ id: '7' });
  expect(request.sent?.getAll('files')).toHaveLength(2);
  expect(request.sent?.has('title')).toBe(false);
  expect(upload.progress).toBeNull();
});

it('says why a job was refused', async () => {
  const job = upload.send({ files });
  request.answer(413, '{"code":"too_large","detail":"the zip is too large","fix":null}');
  expect(await job).toBeUndefined();
  expect(upload.problem).toBe('The zip is too large.');
});

it('has words for an answer that is no problem document', async () => {
  const job = upload.send({ files });
  request.answer(502, '<h1>Bad gateway</h1>');
  await job;
  expect(upload.problem).toBeTruthy();
});

it('says nothing when the person gives up', async () => {
  const job = upload.send({ files });
  upload.cancel();
  expect(await job).toBeUndefined();
  expect(upload.problem).toBeUndefined();
});

it('keeps the columns that the service asks about, and sends the one that is chosen', async () => {
  const first = upload.send({ files });
  const errors = [{ field: 'photo_column', message: 'say it in a field', choices: ['front', 'back'] }];
  request.answer(422, JSON.stringify({ code: 'validation', detail: 'photo_column: say it', errors }));
  await first;
  expect(upload.columns).toEqual(['front', 'back']);
  expect(upload.problem).toContain('Choose the right one');
  const second = upload.send({ files, photoColumn: 'back' });
  expect(request.sent?.get('photo_column')).toBe('back');
  upload.cancel();
  await second;
  upload.forget();
  expect(upload.columns).toEqual([]);
});

it('lets the browser ask before the page closes, while something is sent', async () => {
  const asks = () => !globalThis.dispatchEvent(new Event('beforeunload', { cancelable: true }));
  expect(asks()).toBe(false);
  const job = upload.send({ files });
  expect(asks()).toBe(true);
  request.answer(202, '{"id":"7"}');
  await job;
  expect(asks()).toBe(false);
});
