/** The JSON of a stored object: made once, for the log, every answer and every watch that sends it, and kept as long as the object. */
import type { KubeObject } from "@argyle/kube-types";

const texts = new WeakMap<KubeObject, string>();

/** Never call it with an object that may still change. */
export function textOfStored(object: KubeObject): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    texts.set(object, text);
  }
  return text;
}
