/** The photo that is tried. Whatever is dropped or pasted while its page is open becomes it. */
class Tried {
  file = $state.raw<File>();
}

export const tried = new Tried();
