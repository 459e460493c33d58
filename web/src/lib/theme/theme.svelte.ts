export type Theme = 'system' | 'light' | 'dark';

const KEY = 'hangtag.theme';

/** Which of the two palettes is used. `static/theme.js` applies the choice before the first paint. */
class ThemeChoice {
  current = $state<Theme>(stored());

  choose(theme: Theme) {
    this.current = theme;
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  }
}

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}

export const theme = new ThemeChoice();
