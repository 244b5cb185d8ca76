// Numbers that the server sends by itself. The browser connects again after a break; the page says
// whether what it shows is live.
import { onScopeDispose, ref, type Ref } from 'vue';
import { BASE } from '../api/client';

export function useLive(path: string, events: Record<string, (data: unknown) => void>): { connected: Ref<boolean>; stop: () => void } {
  const connected = ref(false);
  const source = new EventSource(`${BASE}${path}`);
  source.addEventListener('open', () => {
    connected.value = true;
  });
  source.addEventListener('error', () => {
    connected.value = false;
  });
  for (const [name, handle] of Object.entries(events)) {
    source.addEventListener(name, (event) => {
      connected.value = true;
      try {
        handle(JSON.parse((event as MessageEvent<string>).data));
      } catch {
        // One unreadable message; the next comes soon.
      }
    });
  }
  const stop = (): void => {
    source.close();
    connected.value = false;
  };
  onScopeDispose(stop);
  return { connected, stop };
}

/** The time, for "3 minutes ago"; moves twice a minute. */
export const now = ref(Date.now());
setInterval(() => {
  now.value = Date.now();
}, 30_000);
