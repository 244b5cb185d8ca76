import 'element-plus/theme-chalk/base.css';
import 'element-plus/theme-chalk/dark/css-vars.css';
import './styles/base.css';
import './styles/element.css';
import { createApp } from 'vue';
import { hooks } from './api/client';
import App from './App.vue';
import { noteFailure } from './base/act';
import { router } from './router';
import { me } from './session';

hooks.ended = () => {
  if (!me.value) return;
  me.value = null;
  const at = router.currentRoute.value;
  void router.replace({ path: '/login', query: at.path === '/' ? {} : { next: at.fullPath } });
};

const app = createApp(App);
// What no page has caught is said rather than swallowed.
app.config.errorHandler = (error) => {
  noteFailure(error);
  console.error(error);
};
router.onError(noteFailure);
app.use(router).mount('#app');
