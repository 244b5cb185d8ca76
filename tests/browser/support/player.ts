// A user of the mini-program, through its API: what the scenes look at in the admin page was made by
// somebody.
import type { APIRequestContext } from '@playwright/test';
import { request } from '@playwright/test';

/** The sandbox's control page, which stands in for WeChat's side. */
const CONTROL = '/_sandbox/api';

export class Player {
  readonly #api: APIRequestContext;

  private constructor(
    api: APIRequestContext,
    readonly id: number,
    readonly name: string,
  ) {
    this.#api = api;
  }

  static async logIn(base: string, name: string): Promise<Player> {
    const api = await request.newContext({ baseURL: base });
    const answer = await api.post('/v1/auth/wechat-login', { data: { code: `dev-${name}`, userInfo: { nickName: name } } });
    if (!answer.ok()) throw new Error(`log-in: ${await answer.text()}`);
    const { token, user } = (await answer.json()) as { token: string; user: { id: number } };
    await api.dispose();
    const known = await request.newContext({ baseURL: base, extraHTTPHeaders: { Authorization: `Bearer ${token}` } });
    return new Player(known, user.id, name);
  }

  async get<T>(path: string): Promise<T> {
    const answer = await this.#api.get(path);
    if (!answer.ok()) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async post<T>(path: string, data: unknown): Promise<T> {
    return (await this.#send<T>(path, data)).answer;
  }

  /** The answer with the number of its request. */
  async #send<T>(path: string, data: unknown): Promise<{ answer: T; requestId: string }> {
    const answer = await this.#api.post(path, { data });
    if (!answer.ok()) throw new Error(`${path}: ${await answer.text()}`);
    return { answer: (await answer.json()) as T, requestId: answer.headers()['x-request-id'] ?? '' };
  }

  async points(): Promise<number> {
    return (await this.get<{ balance: number }>('/v1/points/balance')).balance;
  }

  /** Buys a pack of points and pays it; the order's id, and the request that placed it. */
  async buy(): Promise<{ orderId: string; requestId: string }> {
    const { items } = await this.get<{ items: { id: string }[] }>('/v1/points/packs');
    const { answer, requestId } = await this.#send<{ orderId: string }>('/v1/points/recharge', { packId: items[0]!.id, paymentMethod: 'wechat' });
    const { orderId } = answer;
    await this.post(`${CONTROL}/pay`, { outTradeNo: orderId });
    await this.#until('the order is paid', async () => (await this.get<{ status: string }>(`/v1/orders/${orderId}?sync=true`)).status === 'PAID');
    return { orderId, requestId };
  }

  /** The same; the order's id. */
  async buyPoints(): Promise<string> {
    return (await this.buy()).orderId;
  }

  /** Has a picture made; its job. */
  async make(prompt: string): Promise<string> {
    const { jobId } = await this.post<{ jobId: string }>('/v1/jobs', { prompt });
    await this.#until('the picture is made', async () => (await this.get<{ status: string }>(`/v1/jobs/${jobId}`)).status === 'SUCCEEDED');
    return jobId;
  }

  /** Has a picture made and publishes it; its id in the gallery. */
  async publish(prompt: string): Promise<string> {
    const jobId = await this.make(prompt);
    const { categories } = await this.get<{ categories: { id: string }[] }>('/v1/gallery/categories');
    const { imageId } = await this.post<{ imageId: string }>('/v1/gallery/publish', { jobId, index: 0, categoryId: categories[0]?.id });
    return imageId;
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + 60_000;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`never: ${what}`);
      await new Promise((done) => setTimeout(done, 250));
    }
  }
}
