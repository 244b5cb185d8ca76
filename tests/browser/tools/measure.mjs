// Weight and speed of the admin page, for docs/performance.md. Beside a running sandbox:
//   BASE=http://127.0.0.1:3000 npm run measure
import { chromium } from '@playwright/test';

const base = process.env.BASE ?? 'http://127.0.0.1:3000';
const RUNS = 5;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
const login = await browser.newContext({ locale: 'zh-CN' });
const entry = await login.newPage();
await entry.goto(`${base}/admin`);
await entry.locator('input[name=username]').fill('admin');
await entry.locator('input[name=password]').fill('sandbox-play-2026');
await entry.locator('button[type=submit]').click();
await entry.locator('h1').waitFor();
await entry.locator('nav').first().waitFor();
const state = await login.storageState();

/** Opens a page with an empty cache; what travelled, and when it could be used. */
async function open(path, ready) {
  const context = await browser.newContext({ storageState: state, locale: 'zh-CN' });
  const page = await context.newPage();
  const inspector = await context.newCDPSession(page);
  await inspector.send('Network.enable');
  let bytes = 0;
  let files = 0;
  inspector.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
    files += 1;
  });
  const begun = performance.now();
  await page.goto(`${base}/admin#${path}`);
  await page.locator(ready).first().waitFor();
  const took = performance.now() - begun;
  await page.waitForTimeout(500);
  await context.close();
  return { bytes, files, took };
}

for (const [path, ready] of [['/', '.tile'], ['/users', 'tbody tr'], ['/account', 'section li']]) {
  const runs = [];
  for (let n = 0; n < RUNS; n += 1) runs.push(await open(path, ready));
  runs.sort((a, b) => a.took - b.took);
  const median = runs[Math.floor(RUNS / 2)];
  console.log(`${path}: ${(median.bytes / 1024).toFixed(0)} KiB in ${median.files} answers, usable after ${median.took.toFixed(0)} ms`);
}
await browser.close();
