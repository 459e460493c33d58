// What SvelteKit leaves to the project to declare.
declare global {
  namespace App {
    interface Error {
      /** Whether a part of the page could not be fetched: then the service is away, and nothing is broken. */
      isAway?: boolean;
    }
  }
}

export {};
