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
  async buy(pack = 0): Promise<{ orderId: string; requestId: string }> {
    const { items } = await this.get<{ items: { id: string }[] }>('/v1/points/packs');
    const { answer, requestId } = await this.#send<{ orderId: string }>('/v1/points/recharge', { packId: items[pack % items.length]!.id, paymentMethod: 'wechat' });
    return { orderId: await this.#pay(answer.orderId), requestId };
  }

  /** The same; the order's id. */
  async buyPoints(pack = 0): Promise<string> {
    return (await this.buy(pack)).orderId;
  }

  /** Buys a membership and pays it; the order's id. */
  async buyPlan(plan = 0): Promise<string> {
    const { plans } = await this.get<{ plans: { id: string }[] }>('/v1/vip/plans');
    const { orderId } = await this.post<{ orderId: string }>('/v1/orders', { planId: plans[plan % plans.length]!.id, paymentMethod: 'wechat' });
    return this.#pay(orderId);
  }

  async #pay(orderId: string): Promise<string> {
    await this.#sandbox('pay', { outTradeNo: orderId });
    await this.#until('the order is paid', async () => (await this.get<{ status: string }>(`/v1/orders/${orderId}?sync=true`)).status === 'PAID');
    return orderId;
  }

  /** Has a picture made; the job. */
  async makePicture(prompt: string, aspectRatio = '1:1'): Promise<string> {
    const { jobId } = await this.post<{ jobId: string }>('/v1/jobs', { prompt, aspectRatio });
    await this.#until('the picture is made', async () => (await this.get<{ status: string }>(`/v1/jobs/${jobId}`)).status === 'SUCCEEDED');
    return jobId;
  }

  /** Wants a picture, which the image API refuses to make; the job. */
  async failToMake(prompt: string): Promise<string> {
    await this.#sandbox('outcomes', { outcome: { kind: 'fail', code: 'CONTENT_REJECTED', message: 'the prompt was refused' }, times: 1 });
    const { jobId } = await this.post<{ jobId: string }>('/v1/jobs', { prompt });
    await this.#until('the job has failed', async () => (await this.get<{ status: string }>(`/v1/jobs/${jobId}`)).status === 'FAILED');
    return jobId;
  }

  /** Has a picture made, if there is none yet, and publishes it; its id in the gallery. */
  async publish(prompt: string, job?: string, category = 0): Promise<string> {
    const jobId = job ?? (await this.makePicture(prompt));
    const { categories } = await this.get<{ categories: { id: string }[] }>('/v1/gallery/categories');
    const categoryId = categories[category % categories.length]?.id;
    const { imageId } = await this.post<{ imageId: string }>('/v1/gallery/publish', { jobId, index: 0, categoryId });
    return imageId;
  }

  /** How long the simulated image API takes for a picture, in milliseconds. */
  async setSpeed(jobMs: number): Promise<void> {
    await this.#sandbox('limits', { jobMs });
  }

  async #sandbox(command: string, data: unknown): Promise<void> {
    await this.post(`${CONTROL}/${command}`, data);
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + 60_000;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`never: ${what}`);
      await new Promise((done) => setTimeout(done, 250));
    }
  }
}
