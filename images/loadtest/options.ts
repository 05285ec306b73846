/**
 * The command line and environment, with locust's names where it has one (`--host --users --spawn-rate --run-time --web-port --headless`, LOCUST_*;
 * the old `--clients --hatch-rate --num-request --no-web` too). All problems are said at once.
 */
export interface LoadOptions {
  readonly host: string;
  readonly users: number;
  /** Users started a second. */
  readonly spawnRate: number;
  /** From the beginning of one request of a user to the beginning of the next: uniformly between the two. Both 0: no schedule, as fast as answers come. */
  readonly thinkMs: readonly [min: number, max: number];
  readonly runTimeMs: number | undefined;
  readonly maxRequests: number | undefined;
  readonly timeoutMs: number;
  /** Undefined: every user registers an account of its own, so that their baskets do not meet. */
  readonly account: { readonly username: string; readonly password: string } | undefined;
  readonly webPort: number | undefined;
  readonly summaryEveryMs: number;
}

export type ParsedOptions =
  | { readonly ok: true; readonly value: LoadOptions }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Setting {
  readonly name: string;
  readonly flags: readonly string[];
  readonly env: string;
  readonly fallback: string;
  readonly help: string;
}

const SETTINGS: readonly Setting[] = [
  {
    name: "host",
    flags: ["--host", "-H"],
    env: "LOCUST_HOST",
    fallback: "http://front-end",
    help: "where the shop is",
  },
  {
    name: "users",
    flags: ["--users", "-u", "--clients", "-c"],
    env: "LOCUST_USERS",
    fallback: "2",
    help: "customers at the same time",
  },
  {
    name: "spawn-rate",
    flags: ["--spawn-rate", "-r", "--hatch-rate"],
    env: "LOCUST_SPAWN_RATE",
    fallback: "1",
    help: "customers started a second",
  },
  {
    name: "think-time",
    flags: ["--think-time"],
    env: "LOADTEST_THINK_TIME",
    fallback: "500ms-1500ms",
    help: "between two requests of a customer: 1s, 500ms-2s, or 0 for none",
  },
  {
    name: "run-time",
    flags: ["--run-time", "-t"],
    env: "LOCUST_RUN_TIME",
    fallback: "",
    help: "ends after 30s, 5m, 1h30m; without: at SIGTERM",
  },
  {
    name: "num-request",
    flags: ["--num-request", "-n"],
    env: "LOADTEST_REQUESTS",
    fallback: "",
    help: "ends after so many requests",
  },
  { name: "timeout", flags: ["--timeout"], env: "LOADTEST_TIMEOUT", fallback: "30s", help: "a request fails after" },
  {
    name: "account",
    flags: ["--account"],
    env: "LOADTEST_ACCOUNT",
    fallback: "",
    help: "user:password for all; without: everybody registers",
  },
  { name: "web-port", flags: ["--web-port", "-P"], env: "LOCUST_WEB_PORT", fallback: "8089", help: "the live page" },
  {
    name: "summary-every",
    flags: ["--summary-every"],
    env: "LOADTEST_SUMMARY_EVERY",
    fallback: "30s",
    help: "a table in the log",
  },
];
const HEADLESS = ["--headless", "--no-web"];
/** Taken and without meaning here, with or without a value. */
const IGNORED_WITH_VALUE = ["-f", "--locustfile", "-L", "--loglevel"];
const IGNORED = ["--only-summary", "--autostart"];

export const USAGE = `loadtest [options]\n${SETTINGS.map(({ flags, env, fallback, help }) => `  ${flags.join(", ").padEnd(34)} ${help} (${env}${fallback === "" ? "" : `, default ${fallback}`})`).join("\n")}\n  ${HEADLESS.join(", ").padEnd(34)} no live page\n`;

export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedOptions {
  const problems: string[] = [];
  const given = new Map<string, string>();
  let isHeadless = env.LOCUST_HEADLESS === "true";
  for (let i = 0; i < argv.length; i++) {
    const [flag = "", inline] = splitOnce(argv[i] ?? "", "=");
    const setting = SETTINGS.find(({ flags }) => flags.includes(flag));
    if (HEADLESS.includes(flag)) isHeadless = true;
    else if (IGNORED_WITH_VALUE.includes(flag)) i += inline === undefined ? 1 : 0;
    else if (setting !== undefined) {
      const value = inline ?? argv[++i];
      if (value === undefined) problems.push(`${flag} needs a value`);
      else given.set(setting.name, value);
    } else if (!IGNORED.includes(flag)) problems.push(`unknown option ${flag}`);
  }
  const textOf = (name: string) => {
    const setting = SETTINGS.find((each) => each.name === name);
    return given.get(name) ?? env[setting?.env ?? ""] ?? setting?.fallback ?? "";
  };
  const read = <T>(name: string, parse: (text: string) => T | undefined, expected: string, otherwise: T): T => {
    const value = parse(textOf(name));
    if (value === undefined) problems.push(`${name} must be ${expected}, not "${textOf(name)}"`);
    return value ?? otherwise;
  };
  const optional = <T>(name: string, parse: (text: string) => T | undefined, expected: string): T | undefined =>
    textOf(name) === "" ? undefined : read<T | undefined>(name, parse, expected, undefined);
  const value: LoadOptions = {
    host: read("host", parseHost, "an http:// address", ""),
    users: read("users", (text) => parseWhole(text, 1, 10_000), "a whole number from 1 to 10000", 1),
    spawnRate: read("spawn-rate", (text) => parsePositive(text), "a number above 0", 1),
    thinkMs: read("think-time", parseThinkTime, "a duration or two with a dash", [0, 0]),
    runTimeMs: optional("run-time", parseDuration, "a duration"),
    maxRequests: optional(
      "num-request",
      (text) => parseWhole(text, 1, Number.MAX_SAFE_INTEGER),
      "a whole number of at least 1",
    ),
    timeoutMs: read("timeout", parseDuration, "a duration", 0),
    account: optional("account", parseAccount, "user:password"),
    webPort: isHeadless ? undefined : read("web-port", (text) => parseWhole(text, 0, 65_535), "a port", 0),
    summaryEveryMs: read("summary-every", parseDuration, "a duration", 0),
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value };
}

/** `1h30m`, `250ms`, `1.5s`; a bare number is seconds. Undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ""] ?? 0),
    0,
  );
}

function parseThinkTime(text: string): readonly [number, number] | undefined {
  const [from = "", to] = splitOnce(text, "-");
  const [min, max] = [parseDuration(from), parseDuration(to ?? from)];
  return min === undefined || max === undefined || max < min ? undefined : [min, max];
}

function parseHost(text: string): string | undefined {
  return URL.canParse(text) && text.startsWith("http://") ? text.replace(/\/+$/, "") : undefined;
}

function parseAccount(text: string): LoadOptions["account"] {
  const [username = "", password] = splitOnce(text, ":");
  return username === "" || password === undefined ? undefined : { username, password };
}

function parseWhole(text: string, min: number, max: number): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

function parsePositive(text: string): number | undefined {
  const value = Number(text);
  return text !== "" && Number.isFinite(value) && value > 0 ? value : undefined;
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
