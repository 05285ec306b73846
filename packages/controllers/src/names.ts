/** Name suffixes as Kubernetes makes them: no vowels, no characters that look alike. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

export function randomSuffix(random: () => number, length = 5): string {
  let suffix = "";
  for (let i = 0; i < length; i++) suffix += ALPHABET[Math.floor(random() * ALPHABET.length)] ?? "b";
  return suffix;
}

/** Each character of a text mapped into the alphabet. */
export function safeEncode(text: string): string {
  let encoded = "";
  for (const char of text) encoded += ALPHABET[(char.codePointAt(0) ?? 0) % ALPHABET.length] ?? "b";
  return encoded;
}
