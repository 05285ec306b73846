/** RuntimeFractionalPercent and FractionalPercent. There is no runtime layer, so the default value is the value. */
import type { Fields } from "./fields.ts";

const DENOMINATORS = ["HUNDRED", "TEN_THOUSAND", "MILLION"] as const;
const SIZE = { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 } as const;

export interface Fraction {
  readonly numerator: number;
  readonly denominator: number;
  readonly runtimeKey: string;
}

export function compileFraction(fields: Fields): Fraction {
  const value = fields.has("default_value") ? fields.object("default_value") : fields;
  return {
    numerator: value?.number("numerator", 0) ?? 0,
    denominator: SIZE[value?.enumeration("denominator", DENOMINATORS, "HUNDRED") ?? "HUNDRED"],
    runtimeKey: fields.string("runtime_key"),
  };
}

/** envoy.type.v3.Percent: `{value: 12.5}`. */
export function percentOf(fields: Fields, name: string): number | undefined {
  return fields.object(name)?.number("value", 0);
}

/** `random` is a non-negative integer, as Envoy's random generator gives. */
export function isInFraction(fraction: Fraction, random: number): boolean {
  return random % fraction.denominator < fraction.numerator;
}
