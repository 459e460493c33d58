/** What a screen reader is told while the eyes see it on the page: `announcer.say('12 photos labelled')`. */
class Announcer {
  message = $state('');

  say(message: string) {
    this.message = message;
  }
}

export const announcer = new Announcer();
