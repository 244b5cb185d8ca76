// Pictures of every page, to be looked at by a person: `npm run shots`. Nothing is compared; what the tests hold is in
// `scenes/`.
import { defineConfig } from '@playwright/test';
import scenes from './playwright.config';

export default defineConfig({ ...scenes, testDir: 'shots', timeout: 1_800_000 });
