// The real binary with a folder of its own, on a free port.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createServer } from 'node:net';

const BINARY = resolve(process.env['DREAM_BFF'] ?? '../../target/debug/dream-bff');
/** A debug build draws the pictures of the demo first; beside compilers that takes its time. */
const START_MS = 110_000;

/** What a sandbox lets in. */
export const OWNER = { username: 'admin', password: 'sandbox-play-2026' };

/** Enough for a server that is no sandbox to start; it talks to nobody in these tests. */
const PRODUCTION = {
  JWT_SECRET: '0123456789abcdef0123456789abcdef',
  WECHAT_APPID: 'wx0123456789abcdef',
  WECHAT_SECRET: '0123456789abcdef0123456789abcdef',
};

const COMMON = { LOG_FORMAT: 'json', RATE_LIMIT_LOGIN_PER_IP: '0' };

type Kind = 'sandbox' | 'fresh';

export class Server {
  readonly #folder = mkdtempSync(join(tmpdir(), 'dream-bff-browser-'));
  readonly #kind: Kind;
  readonly #port: number;
  readonly #more: Record<string, string>;
  readonly base: string;
  #child: ChildProcess;
  output = '';

  private constructor(kind: Kind, port: number, more: Record<string, string>) {
    this.#kind = kind;
    this.#port = port;
    this.#more = more;
    this.base = `http://127.0.0.1:${port}`;
    this.#child = this.#spawn();
  }

  /** `more` is added to its environment. */
  static async start(kind: Kind, more: Record<string, string> = {}): Promise<Server> {
    const server = new Server(kind, await freePort(), more);
    await server.#listens();
    return server;
  }

  #spawn(): ChildProcess {
    const child = spawn(BINARY, this.#kind === 'sandbox' ? ['serve', '--sandbox'] : ['serve'], {
      cwd: this.#folder,
      env: { PATH: process.env['PATH'], LISTEN: `127.0.0.1:${this.#port}`, PUBLIC_URL: this.base, ...COMMON, ...(this.#kind === 'sandbox' ? {} : PRODUCTION), ...this.#more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        this.output += bytes.toString();
      });
    }
    return child;
  }

  async #listens(): Promise<void> {
    const end = Date.now() + START_MS;
    while (Date.now() < end) {
      if (this.#child.exitCode !== null) throw new Error(`the server ended:\n${this.output}`);
      const up = await fetch(`${this.base}/healthz`).then((answer) => answer.ok, () => false);
      if (up) return;
      await new Promise((done) => setTimeout(done, 100));
    }
    throw new Error(`the server does not listen:\n${this.output}`);
  }

  /** The one-time link for the first administrator, as it was printed. */
  setupLink(): string {
    const found = /https?:\/\/\S+#\/setup\?token=[\w-]+/.exec(this.output);
    if (!found) throw new Error(`no link was printed:\n${this.output}`);
    return found[0];
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Ends it and starts it again on the same files and the same port. */
  async restart(): Promise<void> {
    await this.#end();
    this.#child = this.#spawn();
    await this.#listens();
  }

  async #end(): Promise<void> {
    const gone = new Promise((done) => this.#child.once('exit', done));
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      await gone;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (typeof address === 'object' && address ? done(address.port) : failed(new Error('no port'))));
    });
  });
}
