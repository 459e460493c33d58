// The page is one application that talks to the API: nothing of it is rendered before it reaches the browser.
export const ssr = false;
export const prerender = false;
