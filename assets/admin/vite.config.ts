import vue from '@vitejs/plugin-vue';
import Components from 'unplugin-vue-components/vite';
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers';
import { defineConfig } from 'vite';
import { compress } from './build/compress';

export default defineConfig({
  // The server hands the build out below /admin/.
  base: '/admin/',
  plugins: [
    vue(),
    // Only what the templates name of Element Plus is built in, with its styles.
    Components({ dirs: [], dts: 'components.d.ts', resolvers: [ElementPlusResolver({ importStyle: 'css' })] }),
    compress(),
  ],
  define: {
    __VUE_OPTIONS_API__: 'true', // Element Plus uses it in places
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
  },
  build: {
    target: 'es2022',
    // Every file has its own name and type: the policy of the page allows no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    reportCompressedSize: false,
  },
  // `npm run dev` beside a `dream-bff serve --sandbox` on its usual port.
  server: { proxy: { '/admin/api': 'http://127.0.0.1:3000', '/media': 'http://127.0.0.1:3000' } },
});
