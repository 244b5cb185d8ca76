// The typed client: its paths, parameters and answers are generated from the OpenAPI document
// (`npm run client`), so that a change of the server that the page has not followed does not build.
//
// It adds what every call needs: the language, failures of one shape, the password asked again where
// the server wants it, and the way to the log-in when the session has ended.
import createClient from 'openapi-fetch';
import { lang, t } from '../base/lang';
import { Failure, failureOf } from './failure';
import type { paths } from './schema';

export const BASE = '/admin/api';

interface Hooks {
  /** Asks for the password again; whether it was given. */
  stepUp: () => Promise<boolean>;
  /** The session is over. */
  ended: () => void;
}

/** Set by the session and the dialogs, which need this client themselves. */
export const hooks: Hooks = { stepUp: () => Promise.resolve(false), ended: () => undefined };

async function send(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new Failure(0, 'NO_ANSWER', t('连不上服务器，请检查网络后重试。', 'The server cannot be reached. Check the network and try again.'), null, null);
  }
}

/** A call that may have to be made twice: the body of a request is readable once. */
async function guarded(request: Request): Promise<Response> {
  const again = request.clone();
  const response = await send(request);
  if (response.status === 403 && (await failureOf(response)).code === 'STEP_UP_REQUIRED') {
    return (await hooks.stepUp()) ? send(again) : response;
  }
  if (response.status === 401 && !/\/(session|setup)(\/|$)/.test(new URL(request.url).pathname)) hooks.ended();
  return response;
}

export const api = createClient<paths>({ baseUrl: BASE, fetch: guarded });

api.use({
  onRequest({ request }) {
    request.headers.set('Accept-Language', lang.value);
  },
});

/** The answer of a call, or a [`Failure`] thrown. */
export async function ok<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await call;
  if (!response.ok) throw await failure(response);
  return data as T;
}

const failures = new WeakMap<Response, Failure>();

/** openapi-fetch has read the body of an error by now, so it is read in [`remember`] first. */
async function failure(response: Response): Promise<Failure> {
  return failures.get(response) ?? failureOf(response);
}

api.use({
  async onResponse({ response }) {
    if (!response.ok) failures.set(response, await failureOf(response));
  },
});

/** A key that makes a call that books something safe to repeat. */
export function idempotencyKey(): string {
  return crypto.randomUUID();
}
