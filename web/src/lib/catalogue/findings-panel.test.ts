import { render, screen } from '@testing-library/svelte';
import { expect, it, vi } from 'vitest';

import { api } from '../api/client.ts';
import FindingsPanel from './FindingsPanel.svelte';

it('shows a near-duplicate beside the photo that it resembles', async () => {
  const kind = { kind: 'near_duplicate', severity: 'warning', count: 1 };
  const finding = {
    ...kind,
    photo: '1.jpg',
    others: ['2.jpg'],
    id: '1',
    message: 'nearly the same as 2.jpg',
  };
  const data = { available: true, kinds: [kind], findings: [finding], total: 1 };
  vi.spyOn(api, 'GET').mockResolvedValue({ data, response: new Response() } as never);
  render(FindingsPanel);
  const row = (await screen.findByText('1.jpg')).closest('li');
  const photos = [...(row?.querySelectorAll('img') ?? [])].map((image) => image.getAttribute('src'));
  expect(photos).toEqual([expect.stringMatching(/1\.jpg$/), expect.stringMatching(/2\.jpg$/)]);
});
