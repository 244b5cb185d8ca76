// Types of answers by the address they come from, so that no page repeats a shape.
import type { paths } from './schema';

type Ok<O> = O extends { responses: { 200: { content: infer C } } } ? C[keyof C] : never;

/** What `GET path` answers. */
export type Answer<P extends keyof paths> = paths[P] extends { get: infer O } ? Ok<O> : never;

/** One row of the list at `path`. */
export type Item<P extends keyof paths> = Answer<P> extends { items: (infer I)[] } ? I : never;
