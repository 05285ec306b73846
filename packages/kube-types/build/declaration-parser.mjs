// A parser for the types that crd-generate writes: object literals with JSDoc, arrays, string unions, index signatures, and
// `A & (Exclude<A, B | C> | B | C)`, which says that at most one of B and C's extra members is set. Without Exclude exactly one is.
// A becomes the schema; the alternatives become `oneOf` with `required`, as in a CustomResourceDefinition.

const TOKEN = /\s*(?:(\/\*\*[\s\S]*?\*\/)|("(?:[^"\\]|\\.)*")|([A-Za-z_$][\w$]*)|(\d+)|([{}[\]()<>|&?:;,]))/y;

export function parseInterface(source) {
  const reader = createReader(source.slice(source.indexOf("{")));
  return parseType(reader);
}

function createReader(text) {
  let position = 0;
  let current;
  let comment;
  const advance = () => {
    comment = undefined;
    for (;;) {
      TOKEN.lastIndex = position;
      const match = TOKEN.exec(text);
      if (match === null) {
        current = undefined;
        return;
      }
      position = TOKEN.lastIndex;
      if (match[1] !== undefined) {
        comment = match[1];
        continue;
      }
      current = match[2] ?? match[3] ?? match[4] ?? match[5];
      return;
    }
  };
  advance();
  return {
    peek: () => current,
    comment: () => comment,
    next() {
      const token = current;
      advance();
      return token;
    },
    take(expected) {
      if (current !== expected) throw new Error(`expected ${expected} but found ${current} at ${position}`);
      advance();
    },
    /** Skips `<…>` whole: what Exclude names is repeated outside of it. */
    skipAngles() {
      let depth = 0;
      do {
        if (current === "<") depth++;
        if (current === ">") depth--;
        advance();
      } while (depth > 0);
    },
  };
}

const EXCLUDED = { excluded: true };

function parseType(reader) {
  const options = [parseIntersection(reader)];
  while (reader.peek() === "|") {
    reader.next();
    options.push(parseIntersection(reader));
  }
  return options.length === 1 ? options[0] : unionOf(options);
}

function unionOf(options) {
  if (options.every((option) => "const" in option)) return { type: "string", enum: options.map((o) => o.const) };
  const types = options.map((option) => option.type).sort();
  if (types.length === 2 && types[0] === "number" && types[1] === "string")
    return { "x-kubernetes-int-or-string": true };
  return { alternatives: options };
}

function parseIntersection(reader) {
  const parts = [parsePrimary(reader)];
  while (reader.peek() === "&") {
    reader.next();
    parts.push(parsePrimary(reader));
  }
  if (parts.length === 1) return parts[0];
  const [first, ...rest] = parts;
  const groups = rest.flatMap((part) => exclusiveGroups(first, part));
  const { exclusive = [], ...schema } = first;
  return { ...schema, exclusive: [...exclusive, ...groups] };
}

/** What `first & part` adds: one group of alternatives, or several when `part` is an intersection itself. */
function exclusiveGroups(first, part) {
  if (part.exclusive !== undefined && part.alternatives === undefined) return part.exclusive;
  if (part.alternatives === undefined) return [];
  const inner = part.exclusive ?? [];
  const isOptional = part.alternatives.includes(EXCLUDED);
  const already = new Set(first.required ?? []);
  const names = part.alternatives
    .filter((option) => option !== EXCLUDED)
    .map((option) => (option.required ?? []).filter((name) => !already.has(name)))
    .filter((extra) => extra.length > 0);
  return names.length === 0 ? inner : [...inner, { isOptional, names }];
}

function parsePrimary(reader) {
  const token = reader.next();
  if (token === "{") return parseObject(reader);
  if (token === "(") {
    const type = parseType(reader);
    reader.take(")");
    return type;
  }
  if (token.startsWith('"')) return { const: JSON.parse(token) };
  if (token === "Exclude") {
    reader.skipAngles();
    return EXCLUDED;
  }
  if (token === "Array") {
    reader.take("<");
    const items = finish(parseType(reader));
    reader.take(">");
    return { type: "array", items };
  }
  if (token === "string" || token === "number" || token === "boolean") return { type: token };
  if (token === "IObjectMeta") return { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  throw new Error(`unknown type ${token}`);
}

function parseObject(reader) {
  const properties = {};
  const required = [];
  if (reader.peek() === "[") {
    for (const expected of ["[", "key", ":", "string", "]", ":"]) reader.take(expected);
    const additionalProperties = finish(parseType(reader));
    reader.take(";");
    reader.take("}");
    return { type: "object", additionalProperties };
  }
  while (reader.peek() !== "}") {
    const description = descriptionOf(reader.comment());
    const name = JSON.parse(reader.next());
    if (reader.peek() === "?") reader.next();
    else required.push(name);
    reader.take(":");
    const schema = finish(parseType(reader));
    reader.take(";");
    properties[name] = description === undefined ? schema : { description, ...schema };
  }
  reader.take("}");
  if (Object.keys(properties).length === 0) return { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return { type: "object", properties, ...(required.length === 0 ? {} : { required }) };
}

/** A parsed type as a schema: constants become enums, groups of alternatives become oneOf. */
function finish(parsed) {
  if ("const" in parsed) return { type: "string", enum: [parsed.const] };
  const { exclusive, alternatives, ...schema } = parsed;
  if (alternatives !== undefined) throw new Error("a union of objects outside of an intersection");
  if (exclusive === undefined) return schema;
  const rules = exclusive.filter((group) => group.names.length > 1 || !group.isOptional).map(oneOf);
  if (rules.length === 0) return schema;
  return rules.length === 1 ? { ...schema, ...rules[0] } : { ...schema, allOf: rules };
}

function oneOf({ isOptional, names }) {
  const options = names.map((required) => ({ required }));
  return { oneOf: isOptional ? [{ not: { anyOf: options } }, ...options] : options };
}

function descriptionOf(comment) {
  if (comment === undefined) return undefined;
  return comment
    .slice(3, -2)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim();
}
