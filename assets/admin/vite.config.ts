import vue from '@vitejs/plugin-vue';
import Components from 'unplugin-vue-components/vite';
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers';
import { defineConfig } from 'vite';
import { compress } from './build/compress.ts';

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
    // One sheet of some 15 kB as it travels, instead of thirty.
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        // What every page needs comes in two files; pages and the drawing library in their own.
        codeSplitting: {
          groups: [
            { name: 'vendor', test: /node_modules[\\/](@vue|vue|vue-router|element-plus|@element-plus|lodash|@vueuse|@floating-ui|@popperjs|openapi-fetch)/, entriesAware: false },
            { name: 'charts', test: /node_modules[\\/](echarts|zrender)/ },
            { name: 'common', test: /src[\\/](api|base|components|session)/ },
          ],
        },
      },
    },
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    // What the built files are made of asks to be named with its licence.
    license: { fileName: 'licenses.md' },
    reportCompressedSize: false,
  },
  // `npm run dev` beside a `dream-bff serve --sandbox` on its usual port.
  server: { proxy: { '/admin/api': 'http://127.0.0.1:3000', '/media': 'http://127.0.0.1:3000' } },
});
