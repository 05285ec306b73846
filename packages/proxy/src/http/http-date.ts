/** The Date header, formatted once a second (RFC 9110 §5.6.7). */
let lastSecond = -1;
let text = "";

export function httpDate(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    text = new Date(second * 1000).toUTCString();
  }
  return text;
}
