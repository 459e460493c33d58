import type { Product, ProductQuery } from '../api/batch.ts';

/** So many products are asked for at a time. */
const PAGE = 200;

/** All products that match, in their order. Throws a `ProblemError`. */
export async function everyProduct(
  ask: (query: ProductQuery) => Promise<{ items: Product[]; total: number }>,
  query: ProductQuery,
): Promise<Product[]> {
  const products: Product[] = [];
  for (;;) {
    const { items, total } = await ask({ ...query, offset: String(products.length), limit: String(PAGE) });
    products.push(...items);
    if (items.length === 0 || products.length >= total) return products;
  }
}
