// Values as the settings hold them.
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** The member at `path`, with dots between its steps. */
export function at(root: Json, path: string): Json {
  return path.split('.').reduce<Json>((value, step) => (isObject(value) ? (value[step] ?? null) : null), root);
}

/** A copy in which the member at `path` is `value`. */
export function withAt(root: Json, path: string[], value: Json): Json {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  return { ...(isObject(root) ? root : {}), [head]: withAt(isObject(root) ? (root[head] ?? null) : null, rest, value) };
}

/** The members of `now` that differ from `before`, objects member by member; `undefined` when none does. */
export function changed(before: Json, now: Json): Json | undefined {
  if (isObject(before) && isObject(now)) {
    const out: { [key: string]: Json } = {};
    for (const [key, value] of Object.entries(now)) {
      const part = changed(before[key] ?? null, value);
      if (part !== undefined) out[key] = part;
    }
    return Object.keys(out).length ? out : undefined;
  }
  return JSON.stringify(before) === JSON.stringify(now) ? undefined : now;
}
