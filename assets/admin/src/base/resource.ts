// One thing that is loaded: the value, the failure, or still on its way.
import { ref, shallowRef, watch, type Ref, type WatchSource } from 'vue';

export interface Resource<T> {
  value: Ref<T | null>;
  loading: Ref<boolean>;
  error: Ref<unknown>;
  reload: () => Promise<void>;
}

/** Loads now and whenever one of `when` changes. */
export function useResource<T>(load: () => Promise<T>, when: WatchSource[] = []): Resource<T> {
  const value = shallowRef<T | null>(null);
  const loading = ref(true);
  const error = shallowRef<unknown>(null);
  let asked = 0;

  async function reload(): Promise<void> {
    const mine = ++asked;
    loading.value = true;
    try {
      const loaded = await load();
      if (mine !== asked) return;
      value.value = loaded;
      error.value = null;
    } catch (failed) {
      if (mine === asked) error.value = failed;
    } finally {
      if (mine === asked) loading.value = false;
    }
  }

  if (when.length) watch(when, () => void reload());
  void reload();
  return { value, loading, error, reload };
}
