import { describe, expect, it } from 'vitest';

import { failed, labelled, labelledPhoto, photoNamed, TEE } from './made-up.ts';

describe('a photo', () => {
  it('has no labels before its answer', () => {
    const photo = photoNamed('a.jpg');
    expect(photo.labels).toEqual({});
    expect([photo.needsLook, photo.edited, photo.confidence]).toEqual([false, false, null]);
  });

  it('knows its levels, its attributes and the confidence of its leaf', () => {
    const photo = labelledPhoto('a.jpg');
    expect(photo.levels).toEqual(['masterCategory', 'subCategory', 'articleType']);
    expect(photo.attributes).toEqual(['gender']);
    expect(photo.confidence).toBe(0.9);
  });

  it('needs a look where its category is in doubt, not for an attribute', () => {
    expect(labelledPhoto('a.jpg', TEE, ['articleType']).needsLook).toBe(true);
    expect(labelledPhoto('a.jpg', TEE, ['gender']).needsLook).toBe(false);
  });

  it('needs a look for any doubt of a model without categories', () => {
    expect(labelledPhoto('a.jpg', { gender: ['Men', 0.4] }, ['gender']).needsLook).toBe(true);
  });

  it('is sure as far down as its answer goes, or a person said so', () => {
    const photo = labelledPhoto('a.jpg');
    photo.answer = { ...labelled('a.jpg'), answer: ['Apparel'], answer_level: 'masterCategory' };
    expect([photo.sure, photo.needsLook]).toEqual([1, true]);
    photo.corrections = { subCategory: 'Topwear', articleType: 'Tops' };
    expect([photo.sure, photo.needsLook]).toEqual([3, false]);
  });

  it('asks about its leaf, or about the parent that is in doubt where the leaf is not', () => {
    expect(labelledPhoto('a.jpg', TEE, ['subCategory', 'articleType']).asked).toBe('articleType');
    expect(labelledPhoto('a.jpg', TEE, ['subCategory']).asked).toBe('subCategory');
    expect(labelledPhoto('a.jpg', { gender: ['Men', 0.4] }, ['gender']).asked).toBe('gender');
  });

  it('has the flags of its answer', () => {
    const photo = photoNamed('a.jpg');
    expect(photo.flags).toEqual([]);
    photo.answer = labelled('a.jpg', TEE, [], ['blank', 'too_dark']);
    expect(photo.flags).toEqual(['blank', 'too_dark']);
  });

  it('believes a person: no doubt is left, and no confidence', () => {
    const photo = labelledPhoto('a.jpg', TEE, ['articleType']);
    photo.corrections = { articleType: 'Tops' };
    expect(photo.labels.articleType).toEqual({ value: 'Tops', confidence: null, doubtful: false });
    expect([photo.needsLook, photo.edited]).toEqual([false, true]);
  });

  it('keeps a person’s word in columns that another model does not answer', () => {
    const photo = labelledPhoto('a.jpg', { masterCategory: ['Apparel', 0.9] });
    photo.corrections = { masterCategory: 'Footwear', subCategory: 'Sandal', gender: 'Women' };
    expect(photo.levels).toEqual(['masterCategory', 'subCategory']);
    expect([photo.labels.subCategory?.value, photo.labels.gender?.value]).toEqual(['Sandal', 'Women']);
    expect([photo.attributes, photo.sure, photo.edited]).toEqual([['gender'], 2, true]);
  });

  it('shows nothing of the model below a class that a person took back', () => {
    const photo = labelledPhoto('a.jpg');
    photo.corrections = { masterCategory: 'Footwear' };
    expect([photo.levels, photo.attributes]).toEqual([['masterCategory'], ['gender']]);
    photo.corrections = { masterCategory: 'Apparel' };
    expect(photo.levels).toHaveLength(3);
  });

  it('is not edited by a person who agrees', () => {
    const photo = labelledPhoto('a.jpg', TEE, ['articleType']);
    photo.corrections = { articleType: 'Tshirts' };
    expect([photo.needsLook, photo.edited]).toEqual([false, false]);
  });

  it('gives the likeliest guess first, also where the path chose another', () => {
    const photo = labelledPhoto('a.jpg', { articleType: ['Briefs', 0.09, ['Jeans', 0.35]] });
    expect(photo.guesses('articleType').map(({ value }) => value)).toEqual(['Jeans', 'Briefs']);
  });

  it('keeps a failure apart from labels', () => {
    const photo = photoNamed('a.jpg');
    photo.answer = failed('a.jpg');
    expect(photo.failure?.reason).toBe('truncated');
    expect(photo.labelled).toBeUndefined();
  });
});
