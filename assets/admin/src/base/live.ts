// What the server sends by itself, and the time. A break is mended: by the browser where it can, else from
// here, less and less often. The page says whether what it shows is live.
import { onScopeDispose, ref, type Ref } from 'vue';

export interface Stream {
  connected: Ref<boolean>;
  /**
   * Begins to listen; what was listened to before is given up. `back` is called when a break is over: what
   * was sent meanwhile is lost, and the server may be another.
   */
  start: (url: string, events: Record<string, (data: unknown) => void>, back?: () => void) => void;
  stop: () => void;
}

/** The browser tries again by itself after a lost connection, but not after an answer that is no stream. */
const FIRST_PAUSE_MS = 2_000;
const LAST_PAUSE_MS = 60_000;

/** A stream of server-sent events, ended with the component that asked for it. */
export function follow(): Stream {
  const connected = ref(false);
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;

  function stop(): void {
    clearTimeout(again);
    source?.close();
    source = undefined;
    connected.value = false;
  }

  function start(url: string, events: Record<string, (data: unknown) => void>, back?: () => void): void {
    stop();
    let pause = FIRST_PAUSE_MS;
    let wasConnected = false;

    function open(): void {
      const here = new EventSource(url);
      source = here;
      here.addEventListener('open', () => {
        connected.value = true;
        pause = FIRST_PAUSE_MS;
        if (wasConnected) back?.();
        wasConnected = true;
      });
      here.addEventListener('error', () => {
        connected.value = false;
        if (here.readyState !== EventSource.CLOSED || source !== here) return;
        again = setTimeout(open, pause);
        pause = Math.min(pause * 2, LAST_PAUSE_MS);
      });
      for (const [name, handle] of Object.entries(events)) {
        here.addEventListener(name, (event) => {
          try {
            handle(JSON.parse((event as MessageEvent<string>).data));
          } catch {
            // One message that cannot be read; the next comes soon.
          }
        });
      }
    }

    open();
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
