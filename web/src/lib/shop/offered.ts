/** Parts of the page that wait for their routes: each turns true with the change that brings the route. */
export const offered = { checks: false };
