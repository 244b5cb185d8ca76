// Looks again while something goes on, so that its end is seen without asking.
import { onScopeDispose, watch } from 'vue';

const EVERY_MS = 2_000;

/** Calls `reload` a while after each change of `state` for which `isGoingOn` holds. */
export function pollWhile<T>(state: () => T, isGoingOn: (state: T) => boolean, reload: () => Promise<void>): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  watch(
    state,
    (now) => {
      clearTimeout(timer);
      if (isGoingOn(now)) timer = setTimeout(() => void reload(), EVERY_MS);
    },
    { immediate: true },
  );
  onScopeDispose(() => clearTimeout(timer));
}
