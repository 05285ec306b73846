/** Kubernetes quantities: `100m`, `1.5`, `64Mi`, `1e3`. Source: Kubernetes API reference, common definitions, Quantity. */
const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The amount (bytes, cores, pieces), or undefined when it is not a quantity. */
export function parseQuantity(quantity: unknown): number | undefined {
  if (typeof quantity === "number") return quantity;
  if (typeof quantity !== "string") return undefined;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([a-zA-Z]*))$/.exec(quantity);
  if (match === null) return undefined;
  if (match[2] !== undefined) return Number(`${match[1]}${match[2]}`);
  const factor = FACTORS[match[3] ?? ""];
  return factor === undefined ? undefined : Number(match[1]) * factor;
}
