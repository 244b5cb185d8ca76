// One list: loaded page by page from a cursor, again when its filters change. An answer that comes
// after a newer question was asked is thrown away.
import { reactive, ref, shallowRef, watch, type Ref } from 'vue';

export interface Page<T> {
  items: T[];
  nextCursor?: string | null;
  total?: number | null;
}

export interface List<T> {
  items: Ref<T[]>;
  loading: Ref<boolean>;
  error: Ref<unknown>;
  more: Ref<boolean>;
  total: Ref<number | null>;
  reload: () => Promise<void>;
  loadMore: () => Promise<void>;
}

/** Typing is over after this long without a key. */
const SETTLE_MS = 250;

/** What a full page has at least. The server looks at so much at a time: a part with fewer items and a
 * cursor only means that it has not found enough yet. */
const ENOUGH = 20;

export function useList<T>(load: (cursor: string | undefined) => Promise<Page<T>>, filters?: object): List<T> {
  const items = shallowRef<T[]>([]);
  const loading = ref(true);
  const error = shallowRef<unknown>(null);
  const cursor = ref<string | null>(null);
  const more = ref(false);
  const total = ref<number | null>(null);
  let asked = 0;

  async function run(from: string | undefined): Promise<void> {
    const mine = ++asked;
    loading.value = true;
    try {
      let fresh = 0;
      do {
        const page = await load(from);
        if (mine !== asked) return;
        items.value = from ? [...items.value, ...page.items] : page.items;
        cursor.value = page.nextCursor ?? null;
        more.value = cursor.value !== null;
        total.value = page.total ?? null;
        error.value = null;
        fresh += page.items.length;
        from = cursor.value ?? undefined;
      } while (from !== undefined && fresh < ENOUGH);
    } catch (failed) {
      if (mine === asked) error.value = failed;
    } finally {
      if (mine === asked) loading.value = false;
    }
  }

  const reload = (): Promise<void> => run(undefined);
  const loadMore = (): Promise<void> => (cursor.value ? run(cursor.value) : Promise.resolve());

  if (filters) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    watch(reactive(filters), () => {
      clearTimeout(timer);
      timer = setTimeout(() => void reload(), SETTLE_MS);
    });
  }
  void reload();
  return { items, loading, error, more, total, reload, loadMore };
}
