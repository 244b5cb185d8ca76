// Filters of a list, kept in the address: a view can be bookmarked, sent to a colleague, and is still
// there after "back".
import { reactive, watch } from 'vue';
import { useRoute, useRouter } from 'vue-router';

/** The filters with their values for "all"; what differs from that stands in the address. */
export function useFilters<F extends Record<string, string>>(blank: F): F {
  const route = useRoute();
  const router = useRouter();
  const path = route.path;
  const read = (): F =>
    Object.fromEntries(Object.entries(blank).map(([key, none]) => [key, typeof route.query[key] === 'string' ? route.query[key] : none])) as F;
  const filters = reactive(read()) as F;

  watch(filters, () => {
    const query = { ...route.query };
    for (const [key, none] of Object.entries(blank)) {
      if (filters[key] && filters[key] !== none) query[key] = filters[key];
      else delete query[key];
    }
    void router.replace({ query });
  });
  // The other way round: "back", or a link to the same page.
  watch(
    () => route.query,
    () => {
      if (route.matched.length && route.path.split('/')[1] === path.split('/')[1]) Object.assign(filters, read());
    },
  );
  return filters;
}

/** What of the filters is set, for a call or an export link. */
export function set<F extends Record<string, string>>(filters: F): Partial<F> {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== '')) as Partial<F>;
}
