// Runs before the first paint, so that nobody who chose the dark page sees a white flash.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem('admin.theme');
  } catch (_) {
    // Storage is switched off: what the system prefers holds.
  }
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.classList.toggle('dark', dark);
})();
