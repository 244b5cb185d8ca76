// Real Chromium, the real binary. `cargo test` runs this (tests/it/browser.rs); by hand:
//   DREAM_BFF=../../target/debug/dream-bff npm test
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'scenes',
  outputDir: 'results',
  // One browser and one server at a time: a small machine builds and tests other things meanwhile.
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  // Once more with a sandbox of its own, beside whatever else the machine is doing. `cargo test` says so
  // aloud: a scene that needs it is to be looked into.
  retries: 1,
  // A debug build hashes a password in seconds.
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    viewport: { width: 1440, height: 900 },
    actionTimeout: 15_000,
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // The page works with no internet: here there is none.
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ],
    },
  },
});
