// What users are called, for rows that carry only their numbers: those that come onto the page together are
// asked for together.
import { shallowReactive } from 'vue';
import { api, ok } from '../api/client';
import type { Item } from '../api/types';

type Name = Item<'/users/names'>;

/** The most that are asked for at once. */
const MOST = 100;
/** Names change; until then nobody is asked for twice. */
const FRESH_MS = 60_000;

const names = shallowReactive(new Map<number, Name>());
const askedAt = new Map<number, number>();
let wanted: number[] = [];

/** What is known of a user by now. */
export function nameOf(id: number): Name | undefined {
  return names.get(id);
}

/** Has the name of a user looked up, unless that was done a moment ago. */
export function want(id: number): void {
  if (Date.now() - (askedAt.get(id) ?? 0) < FRESH_MS) return;
  askedAt.set(id, Date.now());
  if (wanted.push(id) === 1) queueMicrotask(lookUp);
}

function lookUp(): void {
  const all = wanted;
  wanted = [];
  for (let at = 0; at < all.length; at += MOST) void learn(all.slice(at, at + MOST));
}

async function learn(ids: number[]): Promise<void> {
  try {
    const { items } = await ok(api.GET('/users/names', { params: { query: { ids } } }));
    for (const name of items) names.set(name.id, name);
  } catch {
    // Rows keep the numbers, and the next page asks again.
    for (const id of ids) askedAt.delete(id);
  }
}
