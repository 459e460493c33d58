/** Where the specs find the service; and the one that learns, which has a shop to itself. */
export const PORT = Number(process.env.HANGTAG_E2E_PORT ?? '8491');
export const LEARNING_PORT = PORT + 1;

export function addressOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
