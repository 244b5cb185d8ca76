// What the server sends by itself, and the time. A break is mended by the browser, and ended for good when
// the server refuses; the page says whether what it shows is live.
import { onScopeDispose, ref, type Ref } from 'vue';

export interface Stream {
  connected: Ref<boolean>;
  /** Begins to listen; what was listened to before is given up. */
  start: (url: string, events: Record<string, (data: unknown) => void>) => void;
  stop: () => void;
}

/** A stream of server-sent events, ended with the component that asked for it. */
export function follow(): Stream {
  const connected = ref(false);
  let source: EventSource | undefined;

  function stop(): void {
    source?.close();
    source = undefined;
    connected.value = false;
  }

  function start(url: string, events: Record<string, (data: unknown) => void>): void {
    stop();
    source = new EventSource(url);
    source.addEventListener('open', () => {
      connected.value = true;
    });
    source.addEventListener('error', () => {
      connected.value = false;
    });
    for (const [name, handle] of Object.entries(events)) {
      source.addEventListener(name, (event) => {
        try {
          handle(JSON.parse((event as MessageEvent<string>).data));
        } catch {
          // One message that cannot be read; the next comes soon.
        }
      });
    }
  }

  onScopeDispose(stop);
  return { connected, start, stop };
}

const TICK_MS = 30_000;

/** The time, for "3 minutes ago"; moves twice a minute. */
export const now = ref(Date.now());
setInterval(() => {
  now.value = Date.now();
}, TICK_MS);
