// Runs before the first paint, so that a chosen theme does not flash. The state lives in src/lib/theme/.
(function () {
  try {
    var chosen = localStorage.getItem('hangtag.theme');
    if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
  } catch {
    // Without storage the page follows the system.
  }
})();
