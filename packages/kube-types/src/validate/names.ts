/**
 * The forms of names and numbers that Kubernetes accepts, with its own words for what is wrong. Each function returns every complaint.
 * Source: Kubernetes documentation, "Object Names and IDs", "Labels and Selectors".
 */
const LABEL_1123 = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_1123 = `${LABEL_1123}(\\.${LABEL_1123})*`;
const LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const CONFIG_KEY = "[-._a-zA-Z0-9]+";

function check(value: string, pattern: string, maxLength: number, text: string, examples: readonly string[]): string[] {
  const complaints = value.length > maxLength ? [`must be no more than ${maxLength} bytes`] : [];
  if (!new RegExp(`^${pattern}$`).test(value)) {
    const shown = examples.map((example) => `'${example}', `).join(" or ");
    complaints.push(`${text} (e.g. ${shown}regex used for validation is '${pattern}')`);
  }
  return complaints;
}

export function dnsLabel(value: string): string[] {
  return check(
    value,
    LABEL_1123,
    63,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    ["my-name", "123-abc"],
  );
}

export function dnsSubdomain(value: string): string[] {
  return check(
    value,
    SUBDOMAIN_1123,
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    ["example.com"],
  );
}

export function dns1035Label(value: string): string[] {
  return check(
    value,
    LABEL_1035,
    63,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    ["my-name", "abc-123"],
  );
}

export function labelValue(value: string): string[] {
  return check(
    value,
    LABEL_VALUE,
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    ["MyValue", "my_value", "12345"],
  );
}

/** `name` or `prefix.example.com/name`. */
export function qualifiedName(value: string): string[] {
  const parts = value.split("/");
  const [first = "", second] = parts;
  const complaints: string[] = [];
  if (parts.length > 2) {
    return [
      `a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  if (second !== undefined) {
    if (first === "") complaints.push("prefix part must be non-empty");
    else complaints.push(...dnsSubdomain(first).map((text) => `prefix part ${text}`));
  }
  const name = second ?? first;
  if (name === "") return [...complaints, "name part must be non-empty"];
  const text =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  return [...complaints, ...check(name, QUALIFIED, 63, text, ["MyName", "my.name", "123-abc"])];
}

export function configKey(value: string): string[] {
  const complaints = check(
    value,
    CONFIG_KEY,
    253,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    ["key.name", "KEY_NAME", "key-name"],
  );
  if (value === ".") complaints.push("must not be '.'");
  else if (value === "..") complaints.push("must not be '..'");
  else if (value.startsWith("..")) complaints.push("must not start with '..'");
  return complaints;
}

/** An IANA service name: `http`, `grpc-web`. */
export function portName(value: string): string[] {
  const complaints: string[] = [];
  if (value.length > 15) complaints.push("must be no more than 15 bytes");
  if (!/^[-a-z0-9]+$/.test(value)) {
    complaints.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(value)) complaints.push("must contain at least one letter (a-z)");
  if (value.includes("--")) complaints.push("must not contain consecutive hyphens");
  if (/^-|-$/.test(value)) complaints.push("must not begin or end with a hyphen");
  return complaints;
}

export function portNumber(value: unknown): string[] {
  const isPort = typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
  return isPort ? [] : ["must be between 1 and 65535, inclusive"];
}

export function environmentName(value: string): string[] {
  return /^[\x20-\x3c\x3e-\x7e]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

export function isIpAddress(text: string): boolean {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) {
    return text.split(".").every((part) => Number(part) <= 255 && String(Number(part)) === part);
  }
  return isIpV6(text);
}

function isIpV6(text: string): boolean {
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (embedded !== null) return isIpAddress(embedded[2] ?? "") && isIpV6(`${embedded[1] ?? ""}0:0`);
  const halves = text.split("::");
  if (halves.length > 2 || !text.includes(":")) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}
