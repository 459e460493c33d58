// What SvelteKit leaves to the project to declare: nothing so far.
declare global {
  namespace App {}
}

export {};
