/**
 * Path normalisation of the HTTP connection manager, before any route or policy sees the path: RFC 3986 dot segments and unreserved escapes
 * (`normalize_path`), `merge_slashes`, and what to do with escaped slashes. Each works on the part before `?`.
 * https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto
 */
export interface PathOptions {
  readonly normalize: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: "keep" | "reject" | "redirect" | "forward";
}

export type NormalizedPath =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "redirect"; readonly path: string }
  | { readonly kind: "rejected" };

/** A fragment, and what normalisation could change, were it wholly on: `%`, backslash, NUL, `//`, a segment that begins with a dot. */
const SUSPICIOUS = /[#%\\\0]|\/[./]/;

/** hot: true for nearly every path, which holds no fragment and which normalizePath() would give back as it is. */
export function isPlainPath(path: string): boolean {
  return path.startsWith("/") && !SUSPICIOUS.test(path);
}

export function normalizePath(path: string, options: PathOptions): NormalizedPath {
  const mark = path.indexOf("?");
  let pathname = mark === -1 ? path : path.slice(0, mark);
  const query = mark === -1 ? "" : path.slice(mark);
  let isRedirect = false;
  if (options.escapedSlashes !== "keep") {
    const unescaped = unescapeSlashes(pathname);
    if (unescaped !== pathname) {
      if (options.escapedSlashes === "reject") return { kind: "rejected" };
      isRedirect = options.escapedSlashes === "redirect";
      pathname = unescaped;
    }
  }
  if (options.normalize) {
    const canonical = canonicalPath(pathname);
    if (canonical === undefined) return { kind: "rejected" };
    pathname = canonical;
  }
  if (options.mergeSlashes) pathname = mergeSlashes(pathname);
  return { kind: isRedirect ? "redirect" : "path", path: pathname + query };
}

/** Undefined when the path holds NUL, plain or escaped. */
export function canonicalPath(pathname: string): string | undefined {
  if (isCanonical(pathname)) return pathname;
  if (HAS_NUL.test(pathname)) return undefined;
  // A path parameter on a dot segment is not part of its name: `..;x` would climb behind us.
  const text = unescapeUnreserved(pathname.replace(/\\/g, "/").replace(/\/(\.\.?);[^/]*/g, "/$1"));
  const absolute = text.startsWith("/") ? text : `/${text}`;
  const out: string[] = [];
  const segments = absolute.slice(1).split("/");
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (segment === "..") {
      out.pop();
      if (isLast) out.push("");
    } else if (segment === ".") {
      if (isLast) out.push("");
    } else out.push(segment);
  });
  return `/${out.join("/")}`;
}

/** A stray "%" that would form an escape with what follows is escaped itself, so that nobody unescapes twice. */
function unescapeUnreserved(text: string): string {
  if (!text.includes("%")) return text;
  return text
    .replace(/%(?![0-9A-Fa-f]{2})/g, "\0")
    .replace(/%([0-9A-Fa-f]{2})/g, (whole, hex: string) => {
      const char = String.fromCharCode(Number.parseInt(hex, 16));
      return /[A-Za-z0-9._~-]/.test(char) ? char : whole;
    })
    .replace(/\0(?=[0-9A-Fa-f]{2})/g, "%25")
    .replaceAll("\0", "%");
}

const HAS_NUL = /%00|\0/;

/** hot: nearly every path starts with a slash and holds no `%`, backslash, NUL or `/.`. */
function isCanonical(pathname: string): boolean {
  return pathname.startsWith("/") && !/[%\\\0]|\/\./.test(pathname);
}

export function mergeSlashes(pathname: string): string {
  return pathname.includes("//") ? pathname.replace(/\/{2,}/g, "/") : pathname;
}

export function unescapeSlashes(pathname: string): string {
  return pathname.includes("%") ? pathname.replace(/%2f/gi, "/").replace(/%5c/gi, "\\") : pathname;
}
