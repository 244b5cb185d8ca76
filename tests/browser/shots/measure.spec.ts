// Weight and speed of the admin page, for docs/performance.md:
//   DREAM_BFF=../../target/release/dream-bff npm run measure
// A page counts as usable when its data is drawn and the main thread has been free since (no task beyond 50 ms for a second).
import { expect, test, type Browser } from '@playwright/test';
import { asAdmin, OWNER } from '../support/scene';
import { Server } from '../support/server';

const RUNS = Number(process.env['RUNS'] ?? 5);
const QUIET_MS = 1_000;

const PAGES: [path: string, shows: string][] = [
  ['/', '.tile'],
  ['/users', 'tbody tr'],
  ['/orders', 'h1'],
  ['/review', 'h1'],
  ['/account', 'section li'],
];

/** Where the page is opened from. */
const PLACES = [
  { name: 'this machine', network: null, slower: 1 },
  { name: 'a phone (9 Mbit/s, 60 ms, a processor four times slower)', network: { offline: false, latency: 60, downloadThroughput: 9e6 / 8, uploadThroughput: 3e6 / 8 }, slower: 4 },
];

type State = Awaited<ReturnType<Awaited<ReturnType<Browser['newContext']>>['storageState']>>;

/** Opens a page with an empty cache; what travelled, and when it could be used. */
async function visit(browser: Browser, state: State, address: string, shows: string, place: (typeof PLACES)[number]) {
  const context = await browser.newContext({ storageState: state, locale: 'zh-CN' });
  const page = await context.newPage();
  const inspector = await context.newCDPSession(page);
  await inspector.send('Network.enable');
  if (place.network) await inspector.send('Network.emulateNetworkConditions', place.network);
  await inspector.send('Emulation.setCPUThrottlingRate', { rate: place.slower });
  let bytes = 0;
  let files = 0;
  inspector.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    files += 1;
  });
  await page.addInitScript(() => {
    const seen = window as unknown as { busyUntil: number };
    seen.busyUntil = 0;
    new PerformanceObserver((list) => {
      for (const task of list.getEntries()) seen.busyUntil = Math.max(seen.busyUntil, task.startTime + task.duration);
    }).observe({ type: 'longtask', buffered: true });
  });
  await page.goto(address);
  const drawn = (await (await page.waitForFunction((selector) => (document.querySelector(selector) ? performance.now() : 0), shows)).jsonValue()) as number;
  await page.waitForFunction((quiet) => performance.now() - (window as unknown as { busyUntil: number }).busyUntil > quiet, QUIET_MS);
  await page.waitForTimeout(QUIET_MS / 2);
  const busyUntil = await page.evaluate(() => (window as unknown as { busyUntil: number }).busyUntil);
  await context.close();
  return { bytes, files, usable: Math.max(drawn, busyUntil) };
}

test('measure', async ({ browser }) => {
  const server = await Server.start('sandbox');
  try {
    const entry = await asAdmin(browser, server.base, OWNER.username, OWNER.password);
    const state = await entry.context().storageState();
    await entry.context().close();
    for (const place of PLACES) {
      console.log(place.name);
      for (const [path, shows] of PAGES) {
        const runs = [];
        for (let n = 0; n < RUNS; n += 1) runs.push(await visit(browser, state, `${server.base}/admin#${path}`, shows, place));
        runs.sort((a, b) => a.usable - b.usable);
        const median = runs[Math.floor(RUNS / 2)];
        expect(median).toBeDefined();
        if (median) console.log(`  ${path}: ${(median.bytes / 1024).toFixed(0)} KiB in ${median.files} answers, usable after ${median.usable.toFixed(0)} ms`);
      }
    }
  } finally {
    await server.stop();
  }
});
