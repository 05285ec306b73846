/**
 * Reads proto3-JSON objects of Envoy's API field by field and gathers every problem with its path (`filter_chains[0].filters[1].typed_config`),
 * so that a NACK names all of them. Wrong types never throw: the default is returned and the problem remembered.
 * JSON mapping: https://protobuf.dev/programming-guides/json/ (64-bit numbers may be strings, enums may be numbers, bytes are base64).
 */
import { type Problem, parseProtoDuration } from "@argyle/core";

export interface ProblemSink {
  readonly problems: Problem[];
}

export class Fields {
  readonly path: string;
  readonly raw: Readonly<Record<string, unknown>>;
  readonly sink: ProblemSink;

  constructor(raw: unknown, path: string, sink: ProblemSink) {
    this.path = path;
    this.sink = sink;
    if (typeof raw === "object" && raw !== null && !Array.isArray(raw)) this.raw = raw as Record<string, unknown>;
    else {
      this.raw = {};
      sink.problems.push({ path, message: "must be an object" });
    }
  }

  has(name: string): boolean {
    return this.raw[name] !== undefined && this.raw[name] !== null;
  }

  problem(name: string, message: string): void {
    this.sink.problems.push({ path: this.at(name), message });
  }

  at(name: string): string {
    if (name === "") return this.path;
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  string(name: string, fallback = ""): string {
    const value = this.raw[name];
    if (value === undefined || value === null) return fallback;
    if (typeof value === "string") return value;
    this.problem(name, "must be a string");
    return fallback;
  }

  required(name: string): string {
    const value = this.string(name);
    if (value === "") this.problem(name, "value length must be at least 1 characters");
    return value;
  }

  boolean(name: string, fallback = false): boolean {
    const value = this.raw[name];
    if (value === undefined || value === null) return fallback;
    if (typeof value === "boolean") return value;
    this.problem(name, "must be a boolean");
    return fallback;
  }

  number(name: string, fallback: number): number;
  number(name: string): number | undefined;
  number(name: string, fallback?: number): number | undefined {
    const value = this.raw[name];
    if (value === undefined || value === null) return fallback;
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number === "number" && Number.isFinite(number)) return number;
    this.problem(name, "must be a number");
    return fallback;
  }

  /** Milliseconds. */
  duration(name: string, fallback: number): number;
  duration(name: string): number | undefined;
  duration(name: string, fallback?: number): number | undefined {
    const value = this.raw[name];
    if (value === undefined || value === null) return fallback;
    if (typeof value === "string") {
      const ms = parseProtoDuration(value);
      if (ms !== undefined) return ms;
    } else if (typeof value === "object") {
      const inner = new Fields(value, this.at(name), this.sink);
      return inner.number("seconds", 0) * 1000 + inner.number("nanos", 0) / 1e6;
    }
    this.problem(name, 'must be a duration such as "0.250s"');
    return fallback;
  }

  /** The enum value's name; numbers are looked up in `names`. */
  enumeration<const N extends readonly string[]>(name: string, names: N, fallback: N[number]): N[number] {
    const value = this.raw[name];
    if (value === undefined || value === null) return fallback;
    const found = typeof value === "number" ? names[value] : names.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    this.problem(name, `must be one of ${names.join(", ")}`);
    return fallback;
  }

  object(name: string): Fields | undefined {
    return this.has(name) ? new Fields(this.raw[name], this.at(name), this.sink) : undefined;
  }

  list(name: string): readonly Fields[] {
    return this.array(name).map((item, index) => new Fields(item, `${this.at(name)}[${index}]`, this.sink));
  }

  strings(name: string): readonly string[] {
    return this.array(name).map((item, index) => {
      if (typeof item === "string") return item;
      this.problem(`${name}[${index}]`, "must be a string");
      return "";
    });
  }

  numbers(name: string): readonly number[] {
    return this.array(name).map(Number);
  }

  /** The entries of a map field, each value as Fields. */
  map(name: string): readonly (readonly [string, Fields])[] {
    const inner = this.object(name);
    if (inner === undefined) return [];
    return Object.entries(inner.raw).map(([key, value]) => [
      key,
      new Fields(value, `${this.at(name)}["${key}"]`, this.sink),
    ]);
  }

  /** `@type` of an Any, without its host part. */
  typeName(): string {
    const type = this.string("@type");
    return type.slice(type.lastIndexOf("/") + 1);
  }

  private array(name: string): readonly unknown[] {
    const value = this.raw[name];
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.problem(name, "must be a list");
    return [];
  }
}
