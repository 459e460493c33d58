import { describe, expect, it } from 'vitest';

import { findRule, ownRule, partRules, placesOf, withRule } from './mapping.ts';
import type { Rule } from './service.ts';

const rule = (labels: Record<string, string>, path: string): Rule => ({
  labels,
  id: '',
  path,
  confidence: 'exact',
  note: '',
});
const TEE = { masterCategory: 'Apparel', subCategory: 'Topwear', articleType: 'Tshirts' };
const RULES = [
  rule({}, 'Rest'),
  rule({ masterCategory: 'Apparel' }, 'Clothing'),
  rule({ articleType: 'Tshirts', gender: 'Women' }, 'Women > Tees'),
  rule(TEE, 'Tees'),
];
const path = (...labels: string[]) => ({ path: labels, outcome: 'exact' as const, rule: 0 });

describe('a mapping that is edited', () => {
  it('lists every level before what is in it, and anything else first', () => {
    const places = placesOf([path('Footwear', 'Shoes', 'Heels'), path('Apparel', 'Topwear', 'Tshirts')]);
    expect(places.map((place) => place.path.join('/'))).toEqual([
      '',
      'Apparel',
      'Apparel/Topwear',
      'Apparel/Topwear/Tshirts',
      'Footwear',
      'Footwear/Shoes',
      'Footwear/Shoes/Heels',
    ]);
    expect(places.filter(({ isLeaf }) => isLeaf)).toHaveLength(2);
    expect(places[3]?.labels).toEqual(TEE);
  });

  it('finds the rule that counts as the service does', () => {
    expect(findRule(RULES, TEE)?.path).toBe('Tees');
    expect(findRule(RULES, { ...TEE, gender: 'Women' })?.path).toBe('Tees');
    expect(findRule([...RULES.slice(0, 3)], { ...TEE, gender: 'Women' })?.path).toBe('Women > Tees');
    expect(findRule(RULES, { masterCategory: 'Apparel' })?.path).toBe('Clothing');
    expect(findRule(RULES, { masterCategory: 'Footwear' })?.path).toBe('Rest');
    expect(findRule([], TEE)).toBeUndefined();
  });

  it('changes, adds and takes away the rule of a place alone', () => {
    const changed = withRule(RULES, TEE, { path: 'Tops', confidence: 'broader' });
    expect(ownRule(changed, TEE)).toEqual({ ...rule(TEE, 'Tops'), confidence: 'broader' });
    expect(changed).toHaveLength(4);
    const women = { ...TEE, gender: 'Women' };
    const added = withRule(changed, women, { path: 'Her tees' });
    expect(partRules(added, TEE).map((found) => found.path)).toEqual(['Her tees']);
    expect(findRule(added, women)?.path).toBe('Her tees');
    expect(withRule(added, women, null)).toEqual(changed);
  });
});
