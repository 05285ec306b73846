/** Makes a value once for each object, for as long as that lives: compiled configurations are shared by all proxies of a worker. */
export function oncePerObject<O extends object, T>(make: (object: O) => T): (object: O) => T {
  const known = new WeakMap<O, { readonly value: T }>();
  return (object) => {
    let entry = known.get(object);
    if (entry === undefined) {
      entry = { value: make(object) };
      known.set(object, entry);
    }
    return entry.value;
  };
}
